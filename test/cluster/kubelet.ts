import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeAddresses } from './addresses.ts';
import type { ApiClient, KubeObject } from './client.ts';
import { hideProcess, type InterfaceAddress, showProcess } from './hostfiles.ts';
import { type NodeIPs, parseNodeIP, reportedAddresses } from './nodeip.ts';
import type { Timing } from './options.ts';

export interface KubeletContext {
  readonly node: NodeAddresses;
  readonly root: string;
  readonly api: ApiClient;
  readonly timing: Timing;
  readonly kubernetesVersion: string;
  /** The Node as the harness last saw it. */
  readonly seen: () => KubeObject | undefined;
  readonly onHost: () => readonly InterfaceAddress[];
  readonly log: (line: string) => void;
}

/** One start of the played kubelet. Times are `Date.now()`. */
export interface KubeletStart {
  readonly pid: number;
  readonly args: readonly string[];
  readonly at: number;
  /** Why it ended at once; undefined: it runs on. */
  readonly failure: string | undefined;
}

const BASE_ARGS = [
  '/usr/bin/kubelet',
  '--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf',
  '--kubeconfig=/etc/kubernetes/kubelet.conf',
  '--config=/var/lib/kubelet/config.yaml',
];
const HEALTHZ_PORT = 10_248;
const LEASE_RENEW_MS = 10_000;
const LEASE_SECONDS = 40;
/** Pids of played processes, above what Linux gives to real ones by default on small machines. */
const FIRST_PID = 4_000_000;

/** Plays a kubelet's part in the API: its Node, the addresses on it, its heartbeats. */
export class Kubelet {
  readonly starts: KubeletStart[] = [];
  /** Why the last sync left the Node's addresses alone. */
  addressFailure: string | undefined;
  readonly #context: KubeletContext;
  #nodeIPs: NodeIPs | undefined;
  #registered = false;
  #nextPid = FIRST_PID;
  #leaseRenewedAt = 0;
  #restartAt = Number.POSITIVE_INFINITY;

  constructor(context: KubeletContext) {
    this.#context = context;
  }

  get running(): boolean {
    return this.#nodeIPs !== undefined;
  }

  activeState(): 'active' | 'activating' {
    return this.running ? 'active' : 'activating';
  }

  /** Reads its files anew, as `systemctl restart kubelet` makes it. */
  restart(): void {
    this.#end();
    const args = [...BASE_ARGS, ...environmentArguments(this.#context.root)];
    const outcome = startUp(args);
    const failure = outcome.ok ? undefined : outcome.error;
    const start = { pid: this.#nextPid++, args, at: Date.now(), failure };
    this.starts.push(start);
    this.#nodeIPs = outcome.ok ? outcome.value : undefined;
    this.#registered = false;
    this.#restartAt = outcome.ok ? Number.POSITIVE_INFINITY : Date.now() + this.#context.timing.crashBackOff;
    if (outcome.ok) showProcess(this.#context.root, start.pid, args);
    this.#context.log(`${this.#context.node.name}: kubelet ${failure ? `failed: ${failure}` : 'started'}`);
  }

  #end(): void {
    const last = this.starts.at(-1);
    if (last) hideProcess(this.#context.root, last.pid);
    this.#nodeIPs = undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.restart();
    const healthz = await this.#serveHealthz();
    while (!signal.aborted) {
      if (Date.now() >= this.#restartAt) this.restart();
      if (this.#nodeIPs) await this.#sync(this.#nodeIPs).catch(() => {}); // the API may be away: the next sync is near
      await sleep(this.#registered ? this.#context.timing.nodeSync : 100, undefined, { signal }).catch(() => {});
    }
    this.#end();
    healthz.closeAllConnections();
    healthz.close();
  }

  /** A kubelet that does not run refuses connections; this one hangs up on them. */
  async #serveHealthz(): Promise<Server> {
    const server = createServer((request, response) => {
      if (this.running) response.end('ok');
      else request.socket.destroy();
    });
    server.listen({ host: this.#context.node.loopback, port: HEALTHZ_PORT });
    await once(server, 'listening');
    return server;
  }

  async #sync(nodeIPs: NodeIPs): Promise<void> {
    const { node, api, onHost } = this.#context;
    const found = reportedAddresses(
      nodeIPs,
      onHost().map(({ address }) => address),
    );
    this.addressFailure = found.ok ? undefined : found.error;
    const addresses = found.ok ? nodeAddresses(found.value, node.name) : undefined;
    const path = `/api/v1/nodes/${node.name}`;
    if (!this.#registered) {
      if (!(await api.get(path))) await api.create('/api/v1/nodes', newNode(this.#context, addresses ?? []));
      this.#registered = true;
    }
    await this.#heartbeat();
    await this.#report(path, addresses);
  }

  async #report(path: string, addresses: readonly { type: string; address: string }[] | undefined): Promise<void> {
    const status = this.#context.seen()?.['status'] as
      | { addresses?: unknown; conditions?: { type: string; status: string }[] }
      | undefined;
    if (!status) return;
    const ready = status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
    const stale = addresses && JSON.stringify(status.addresses) !== JSON.stringify(addresses);
    if (!stale && ready) return;
    const patch = { ...(addresses ? { addresses } : {}), ...(ready ? {} : { conditions: conditions() }) };
    await this.#context.api.mergePatch(`${path}/status`, { status: patch });
  }

  async #heartbeat(): Promise<void> {
    if (Date.now() - this.#leaseRenewedAt < LEASE_RENEW_MS) return;
    const { node, api } = this.#context;
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    const spec = {
      holderIdentity: node.name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    };
    const answer = await api.send('PATCH', `${leases}/${node.name}`, { spec }, 'application/merge-patch+json');
    if (answer.status === 404) await api.create(leases, { metadata: { name: node.name }, spec });
    this.#leaseRenewedAt = Date.now();
  }
}

/** The two files that kubeadm's systemd unit reads, in its order: later flags win. */
function environmentArguments(root: string): string[] {
  return [
    ...environmentValue(join(root, 'var/lib/kubelet/kubeadm-flags.env'), 'KUBELET_KUBEADM_ARGS'),
    ...environmentValue(join(root, 'etc/default/kubelet'), 'KUBELET_EXTRA_ARGS'),
  ];
}

/** As systemd expands `$NAME`: the value without its quotes, split at white space. A missing file is empty. */
function environmentValue(file: string, name: string): string[] {
  const text = readIfThere(file);
  const line = text.split('\n').findLast((candidate) => candidate.trim().startsWith(`${name}=`));
  const value =
    line
      ?.trim()
      .slice(name.length + 1)
      .replace(/^(["'])(.*)\1$/, '$2') ?? '';
  return value.split(/\s+/).filter((word) => word !== '');
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function startUp(args: readonly string[]): ReturnType<typeof parseNodeIP> {
  const stray = args.slice(1).find((argument) => !argument.startsWith('-'));
  if (stray !== undefined) return { ok: false, error: `unknown command ${stray}` };
  const last = args.findLast((argument) => argument.startsWith('--node-ip='));
  const parsed = parseNodeIP(last?.slice('--node-ip='.length));
  return parsed.ok ? parsed : { ok: false, error: `bad --node-ip "${last}": ${parsed.error}` };
}

const nodeAddresses = (internal: readonly string[], hostname: string): { type: string; address: string }[] => [
  ...internal.map((address) => ({ type: 'InternalIP', address })),
  { type: 'Hostname', address: hostname },
];

function newNode(
  { node, kubernetesVersion }: KubeletContext,
  addresses: readonly { type: string; address: string }[],
): unknown {
  const isControlPlane = node.role === 'control-plane';
  const capacity = { cpu: '4', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  return {
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'beta.kubernetes.io/arch': 'amd64',
        ...(isControlPlane
          ? {
              'node-role.kubernetes.io/control-plane': '',
              'node.kubernetes.io/exclude-from-external-load-balancers': '',
            }
          : {}),
      },
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
    },
    spec: { taints: isControlPlane ? [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] : [] },
    status: {
      addresses,
      capacity,
      allocatable: capacity,
      conditions: conditions(),
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        architecture: 'amd64',
        operatingSystem: 'linux',
        osImage: 'Debian GNU/Linux 12 (bookworm)',
        kernelVersion: '6.1.0-32-amd64',
        kubeletVersion: `v${kubernetesVersion}`,
        kubeProxyVersion: '',
        containerRuntimeVersion: 'containerd://2.1.4',
        machineID: node.name,
        systemUUID: node.name,
        bootID: node.name,
      },
    },
  };
}

function conditions(): unknown[] {
  const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
  const good = (type: string, status: string, reason: string): unknown => ({
    type,
    status,
    reason,
    message: `kubelet: ${reason}`,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return [
    good('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
    good('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
    good('PIDPressure', 'False', 'KubeletHasSufficientPID'),
    good('Ready', 'True', 'KubeletReady'),
  ];
}
