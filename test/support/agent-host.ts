import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RestartService } from '../../src/agent/act.ts';
import { hostFiles } from '../../src/agent/files.ts';
import type { HostFiles } from '../../src/agent/files.ts';
import { noInterfaces } from '../../src/agent/netfs.ts';
import { makePass } from '../../src/agent/pass.ts';
import type { OwnObject, Pass } from '../../src/agent/pass.ts';
import { noShortener } from '../../src/agent/shorten.ts';
import type { Shortener } from '../../src/agent/shorten.ts';
import { WATCH_DEFAULTS } from '../../src/agent/watch.ts';
import { err, ok } from '../../src/result.ts';

export const MANIFESTS = '/etc/kubernetes/manifests';
export const APISERVER = `${MANIFESTS}/kube-apiserver.yaml`;
export const KCM = `${MANIFESTS}/kube-controller-manager.yaml`;
export const KUBELET_ENV = '/var/lib/kubelet/kubeadm-flags.env';
const BOOT_SECONDS = 1_700_000_000;

/** A manifest as kubeadm writes it, shortened. */
export const apiServerManifest = (range = '10.96.0.0/16'): string => `apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 192.0.2.1:6443
  labels:
    component: kube-apiserver
    tier: control-plane
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.0.2.1
    - --secure-port=6443
    - --service-cluster-ip-range=${range}
    - --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
    image: registry.k8s.io/kube-apiserver:v1.36.3
    livenessProbe:
      httpGet:
        host: 192.0.2.1
        path: /livez
        port: probe-port
        scheme: HTTPS
    name: kube-apiserver
    ports:
    - containerPort: 6443
      name: probe-port
      protocol: TCP
    readinessProbe:
      httpGet:
        host: 192.0.2.1
        path: /readyz
        port: probe-port
        scheme: HTTPS
  hostNetwork: true
status: {}
`;

export const kcmManifest = (): string => `apiVersion: v1
kind: Pod
metadata:
  name: kube-controller-manager
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-controller-manager
    - --allocate-node-cidrs=true
    - --cluster-cidr=10.244.0.0/16
    - --node-cidr-mask-size=24
    - --service-cluster-ip-range=10.96.0.0/16
    name: kube-controller-manager
    startupProbe:
      httpGet:
        host: 127.0.0.1
        path: /healthz
        port: 10257
        scheme: HTTPS
`;

/**
 * A folder that looks like a control-plane host, with processes, a clock and an API server in the test's hand.
 * A whole agent runs on it; only time, health, systemd and the API are played.
 */
export class TestHost {
  readonly root = mkdtempSync(join(tmpdir(), 'dsagent-'));
  readonly files: HostFiles = hostFiles(this.root);
  /** The wall clock. */
  now = Date.parse('2026-01-01T00:00:00Z');
  #uptimeMs = 1_000_000;
  shortener: Shortener = noShortener;
  object: OwnObject | null = null;
  apiUp = true;
  statusWrites = 0;
  restarts = 0;
  /** What a restart does besides being counted. */
  onRestart: () => void = () => undefined;
  k0sRestarts = 0;
  onK0sRestart: () => void = () => undefined;
  /** Why systemd cannot be asked. */
  busProblem: string | null = null;
  /** Answers by path of the probe. */
  health: Record<string, boolean | null> = { '/readyz': true, '/healthz': true };
  readonly logged: string[] = [];
  #pid = 100;
  #ticks = 1000;

  constructor() {
    this.write('/etc/hostname', 'cp-1\n');
    this.write('/proc/stat', `cpu 0\nbtime ${BOOT_SECONDS}\n`);
    this.write('/proc/sys/kernel/random/boot_id', 'boot-1\n');
    this.elapse(0);
    this.write('/proc/sys/net/ipv4/ip_forward', '1\n');
    for (const name of ['all', 'default', 'eth0']) {
      this.write(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '0\n');
      this.write(`/proc/sys/net/ipv6/conf/${name}/forwarding`, '0\n');
      this.write(`/proc/sys/net/ipv6/conf/${name}/accept_ra`, '1\n');
    }
    this.write(
      '/proc/1/net/fib_trie',
      'Main:\n     |-- 192.0.2.1\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n',
    );
    this.write(
      '/proc/1/net/route',
      'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n' +
        'eth0\t00000000\tFE0200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n' +
        'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n',
    );
    this.setIPv6('20010db8000000000000000000000001 02 40 00 80 eth0');
    this.write('/var/lib/kubelet/config.yaml', `staticPodPath: ${MANIFESTS}\nhealthzPort: 10248\n`);
    this.write(KUBELET_ENV, 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1 --pod-infra-container-image=pause"\n');
    this.write(APISERVER, apiServerManifest());
    this.write(KCM, kcmManifest());
    this.startKubelet();
    this.startFromManifest('kube-apiserver');
    this.startFromManifest('kube-controller-manager');
  }

  pass: Pass = this.newAgent();

  /** A new agent on the same host: what the old one kept in memory is gone. */
  newAgent(files: HostFiles = this.files): Pass {
    const restartKubelet: RestartService = () => {
      if (this.busProblem !== null) return Promise.resolve(err(this.busProblem));
      this.restarts += 1;
      this.onRestart();
      return Promise.resolve(ok(undefined));
    };
    this.pass = makePass({
      files,
      now: () => this.now,
      pause: (milliseconds) => {
        this.elapse(milliseconds);
        return Promise.resolve();
      },
      shortener: {
        prepare: (seen) => this.shortener.prepare(seen),
        note: () => this.shortener.note(),
      },
      options: WATCH_DEFAULTS,
      ask: (probe) => Promise.resolve(this.health[probe.path] ?? null),
      interfaces: noInterfaces,
      restart: {
        kubelet: restartKubelet,
        k0s: () => {
          if (this.busProblem !== null) return Promise.resolve(err(this.busProblem));
          this.k0sRestarts += 1;
          this.onK0sRestart();
          return Promise.resolve(ok(undefined));
        },
      },
      log: (message, detail) => this.logged.push(`${message} ${JSON.stringify(detail)}`),
      node: {
        current: () => this.object,
        writeStatus: (status) => {
          if (!this.apiUp || this.object === null) return Promise.resolve(err('connection refused'));
          this.statusWrites += 1;
          this.object = { ...this.object, status: JSON.parse(JSON.stringify(status)) };
          return Promise.resolve(ok(this.object));
        },
      },
    });
    return this.pass;
  }

  ask(spec: unknown): void {
    this.object = {
      name: 'cp-1',
      generation: (this.object?.generation ?? 0) + 1,
      spec,
      status: this.object?.status ?? {},
    };
  }

  /** Time goes by, on the wall and since the boot. */
  elapse(milliseconds: number): void {
    this.now += milliseconds;
    this.#uptimeMs += milliseconds;
    this.write('/proc/uptime', `${(this.#uptimeMs / 1000).toFixed(2)} 0.00\n`);
  }

  /** Another boot: everything that ran is gone, and the time since it begins anew. */
  reboot(): void {
    for (const pid of this.files.list('/proc').filter((name) => /^\d+$/.test(name) && name !== '1'))
      this.remove(`/proc/${pid}`);
    this.#uptimeMs = 0;
    this.#ticks = 0;
    this.elapse(20_000);
    this.write('/proc/sys/kernel/random/boot_id', `boot-${this.now}\n`);
  }

  /** Passes until nothing is done any more; `seconds` go by first. */
  async settle(seconds = 0): Promise<void> {
    this.elapse(seconds * 1000);
    for (let i = 0; i < 20; i += 1) if ((await this.pass()) !== 'Again') return;
    throw new Error('the agent does not come to rest');
  }

  condition(type: string): { status: string; reason: string; message: string } {
    const status = this.object?.status as {
      conditions: { type: string; status: string; reason: string; message: string }[];
    };
    return status.conditions.find((condition) => condition.type === type)!;
  }

  setIPv6(...lines: string[]): void {
    this.write('/proc/1/net/if_inet6', `${lines.join('\n')}\n`);
  }

  write(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  exists(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  startKubelet(): number {
    const args = /="(.*)"/.exec(this.read(KUBELET_ENV))?.[1] ?? '';
    this.stop('kubelet');
    return this.start([
      '/usr/bin/kubelet',
      '--config=/var/lib/kubelet/config.yaml',
      ...args.split(/\s+/).filter(Boolean),
    ]);
  }

  /** As the kubelet does: the old process goes, one with the file's arguments comes. */
  startFromManifest(component: string): number {
    const text = this.read(`${MANIFESTS}/${component}.yaml`);
    this.stop(component);
    return this.start([component, ...[...text.matchAll(/^ {4}- (--.+)$/gm)].map((match) => match[1]!)]);
  }

  start(argv: readonly string[]): number {
    const pid = (this.#pid += 1);
    const program = argv[0]!.split('/').at(-1)!;
    this.#ticks += 500;
    this.write(`/proc/${pid}/comm`, `${program.slice(0, 15)}\n`);
    this.write(`/proc/${pid}/cmdline`, `${argv.join('\0')}\0`);
    const fields = ['S', ...Array.from({ length: 18 }, () => '0'), String(this.#ticks), '0'];
    this.write(`/proc/${pid}/stat`, `${pid} (${program.slice(0, 15)}) ${fields.join(' ')}\n`);
    return pid;
  }

  stop(program: string): void {
    for (const pid of this.files.list('/proc').filter((name) => /^\d+$/.test(name) && name !== '1')) {
      const words = this.files.read(`/proc/${pid}/cmdline`) ?? '';
      if (words.split('\0')[0]!.split('/').at(-1) === program) this.remove(`/proc/${pid}`);
    }
  }

  clear(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
