import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries } from '../hack/binaries.mjs';
import { connect } from '../src/kube/connect.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { endChild, startChild } from './children.ts';

/** A real kube-apiserver on a real etcd, and nothing that would change an object by itself. */
export interface ApiServer {
  readonly kubeconfig: string;
  /** The same as a pod has it: files of a service account, and where the server is. */
  readonly account: { readonly folder: string; readonly environment: Readonly<Record<string, string>> };
  readonly folder: string;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 120_000;

export async function startApiServer(): Promise<ApiServer> {
  const { etcd = '', 'kube-apiserver': apiServer = '' } = await findBinaries({ names: ['etcd', 'kube-apiserver'] });
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const [clients, peers, port] = [await freePort(), await freePort(), await freePort()];
  const [etcdUrl, peerUrl, url] = [
    `http://127.0.0.1:${clients}`,
    `http://127.0.0.1:${peers}`,
    `https://127.0.0.1:${port}`,
  ];
  writeFileSync(join(folder, 'tokens.csv'), 'token,admin,admin,system:masters\n');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(join(folder, 'sa.key'), privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  const children = [
    start(folder, etcd, [
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      '--unsafe-no-fsync',
      '--quota-backend-bytes=4294967296',
    ]),
    start(folder, apiServer, [
      `--etcd-servers=${etcdUrl}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${folder}`,
      `--token-auth-file=${join(folder, 'tokens.csv')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${join(folder, 'sa.key')}`,
      `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
      '--authorization-mode=AlwaysAllow',
      '--disable-admission-plugins=ServiceAccount',
    ]),
  ];
  const server: ApiServer = {
    folder,
    kubeconfig: join(folder, 'kubeconfig'),
    account: {
      folder: join(folder, 'account'),
      environment: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) },
    },
    stop: async () => {
      await Promise.all(children.map((child) => endChild(child, 'SIGKILL')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  writeFileSync(server.kubeconfig, kubeconfigOf(url, join(folder, 'apiserver.crt')));
  if (await isReady(server, children)) {
    mkdirSync(server.account.folder);
    copyFileSync(join(folder, 'apiserver.crt'), join(server.account.folder, 'ca.crt'));
    writeFileSync(join(server.account.folder, 'token'), 'token');
    return server;
  }
  await server.stop();
  throw new Error(`the API server is not ready within ${READY_WITHIN_MS / 1000} s`);
}

function start(folder: string, binary: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(folder, 'log'), 'a');
  const child = startChild(binary, args, { stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

async function isReady({ kubeconfig }: ApiServer, children: readonly ChildProcess[]): Promise<boolean> {
  const deadline = Date.now() + READY_WITHIN_MS;
  const common = { version: 'bench', clock: systemClock, random: Math.random, environment: {} };
  while (Date.now() < deadline && children.every((child) => child.exitCode === null)) {
    await sleep(200);
    // Its certificate is made while it starts, and is its own CA.
    const made = await connect({ ...common, kubeconfig });
    if (!made.ok) continue;
    const answer = await made.value.client.text('/readyz');
    await made.value.close();
    if (answer.ok) return true;
  }
  return false;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const kubeconfigOf = (server: string, ca: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [{ name: 'bench', cluster: { server, 'certificate-authority': ca } }],
    users: [{ name: 'admin', user: { token: 'token' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'admin' } }],
  });
