import { parse } from 'yaml';
import { type K0sFacts, makeControllers } from '../../src/distributions/k0s/facts.ts';
import { identityKey } from '../../src/distributions/k0s/records.ts';
import type { ClusterFacts, NodeFacts } from '../../src/model/facts.ts';
import { expect } from '@jest/globals';
import { nested } from '../../src/distributions/k0s/target.ts';
import type { HostSettings, K0sWish } from '../../src/model/host.ts';
import { EDITABLE_K0S_SETTINGS, type K0sSettings, readK0sSettings } from '../../src/model/k0s.ts';
import { managerFlags, podRange, serviceRange, without } from './k0s-rules.ts';
import { mergePatch, type Plain } from './merge-patch.ts';
import { at } from '../../src/model/object.ts';
import { known } from '../../src/model/reader.ts';
import type { Step } from '../../src/model/step.ts';
import { unreachable } from '../../src/result.ts';
import {
  AT,
  basics,
  clusterFacts,
  merge,
  nodeFacts,
  podFacts,
  PODS,
  running,
  SERVICES,
  workloadFacts,
} from './facts.ts';

/**
 * Plays k0s as its source has it (github.com/k0sproject/k0s: pkg/apis/k0s/v1beta1/network.go, pkg/component/controller): which flags it works out of
 * which configuration, and what it leaves alone. The user is played too: does what a handoff says, and nothing else.
 */
export interface K0sWorldOptions {
  readonly version: string;
  readonly dynamic: boolean;
  /** Controllers with an agent, and without. */
  readonly seen: number;
  readonly hidden: number;
  /** Agents edit the files that they see. */
  readonly byAgent?: boolean;
  /** What every Node holds at first. */
  readonly podCIDRs?: readonly string[];
}

interface Host {
  readonly name: string;
  readonly isSeen: boolean;
  file: Plain;
  apiRange: string;
  startedAt: number;
  starts: number;
  /** Null: it ends over and over. */
  manager: Readonly<Record<string, string>> | null;
  asked?: K0sWish;
  /** As it was before its agent changed it. */
  first?: K0sSettings;
}

const FIRST_FILE: Plain = {
  spec: { api: { address: '192.0.2.11' }, network: { podCIDR: PODS.IPv4, serviceCIDR: SERVICES.IPv4 } },
};

export class K0sWorld {
  readonly #options: K0sWorldOptions;
  readonly hosts: readonly Host[];
  /** ClusterConfig in the API; null: there is none. */
  object: Plain | null;
  at = AT;
  #changedAt = AT - 86_400_000;
  #resourceVersion = 1;
  serviceCIDR: readonly string[] = [SERVICES.IPv4];
  #nodes: readonly NodeFacts[];
  #lease = { holder: '', acquiredAt: AT - 3_600_000, renewedAt: AT };
  #proxy = { clusterCIDR: '', changedAt: AT - 86_400_000, podsStartedAt: AT - 3_600_000, hash: '' };
  readonly #first: Readonly<Record<string, { readonly holder: string }>>;

  constructor(options: K0sWorldOptions) {
    this.#options = options;
    const names = [
      ...Array.from({ length: options.seen }, (_, index) => `c${index + 1}`),
      ...Array.from({ length: options.hidden }, (_, index) => `x${index + 1}`),
    ];
    this.object = options.dynamic ? { spec: { network: { podCIDR: PODS.IPv4 } } } : null;
    this.#nodes = [...names.slice(0, options.seen), 'w1', 'w2'].map((name, index) =>
      nodeFacts(index + 1, { name }, { podCIDRs: options.podCIDRs ?? [`10.244.${index + 1}.0/24`] }),
    );
    this.hosts = names.map((name, index) => ({
      name,
      isSeen: index < options.seen,
      file: FIRST_FILE,
      apiRange: '',
      startedAt: AT - 3_600_000,
      starts: 0,
      manager: null,
    }));
    for (const host of this.hosts) this.restart(host.name);
    this.#lease = { holder: `${names[0] ?? ''}_1`, acquiredAt: AT - 3_600_000, renewedAt: AT };
    this.#proxy = { ...this.#proxy, changedAt: AT - 86_400_000 };
    this.#first = Object.fromEntries(this.hosts.map((host) => [identityKey(host.name), { holder: identityOf(host) }]));
  }

  /** k0s reads its file, starts an API server from it, and the rest from the file or the object. */
  restart(name: string): void {
    const host = this.#host(name);
    const settings = readK0sSettings(host.file);
    host.starts += 1;
    host.startedAt = this.at;
    host.apiRange = settings['spec.api.extraArgs.service-cluster-ip-range'] ?? serviceRange(settings);
    const cidrs = host.apiRange.split(',');
    if (cidrs.length === 2 && this.serviceCIDR.length === 1 && cidrs[0] === this.serviceCIDR[0])
      this.serviceCIDR = cidrs;
    this.#reconcile();
  }

  /** Somebody edits the object, or the operator does. */
  patchObject(patch: unknown): void {
    this.object = mergePatch(this.object ?? {}, patch) as Plain;
    this.#changedAt = this.at;
    this.#resourceVersion += 1;
    this.#reconcile();
  }

  elapse(seconds: number): void {
    this.at += seconds * 1000;
    const leader = this.hosts.find((host) => host.manager !== null && this.#lease.holder === holderOf(host));
    const next = leader ?? this.hosts.find((host) => host.manager !== null);
    if (next === undefined) return;
    this.#lease =
      leader === undefined
        ? { holder: holderOf(next), acquiredAt: this.at - 1000, renewedAt: this.at }
        : { ...this.#lease, renewedAt: this.at };
  }

  /** What the step asks for, by the program or by the user. */
  carryOut(step: Step): void {
    switch (step.kind) {
      case 'WaitFor':
        return this.elapse(10);
      case 'ApplyObject':
        if (step.write.is !== 'MergePatch' || step.write.resourceVersion !== String(this.#resourceVersion)) {
          throw new Error(`${step.id}: a write that the API would refuse`);
        }
        this.patchObject(step.write.body);
        return this.elapse(40);
      case 'RolloutWorkload':
        if (step.next.is !== 'Annotate') throw new Error(`${step.id}: no new pods were needed`);
        this.#proxy = { ...this.#proxy, podsStartedAt: this.at, hash: step.next.value ?? '' };
        return this.elapse(30);
      case 'Handoff':
        return this.#obey(step);
      case 'EditHost':
        return this.#editByAgent(step.node, step.settings);
      case 'TransferLease': {
        const next = this.hosts.find(({ name }) => `${name}_` === step.holderPrefix);
        if (next === undefined || next.manager === null)
          throw new Error(`${step.holderPrefix} is nobody who could lead`);
        this.#lease = { holder: holderOf(next), acquiredAt: this.at, renewedAt: this.at };
        return this.elapse(40);
      }
      case 'MigrateService':
      case 'MigrateServices':
      case 'ReplaceNode':
      case 'Verify':
      case 'VerifyPackets':
      case 'AskServices':
        throw new Error(`${step.kind} is not k0s'`);
      default:
        return unreachable(step);
    }
  }

  /** As the agent does it: the file, a restart, and undone where the processes do not show what was asked for. */
  #editByAgent(name: string, { k0s }: HostSettings): void {
    if (k0s === undefined) throw new Error('an agent on a host of k0s changes nothing else');
    const host = this.#host(name);
    host.first ??= readK0sSettings(host.file);
    host.asked = k0s;
    const set = Object.entries(k0s.set).map(([path, after]) => ({ path, after }));
    host.file = k0s.absent.reduce(
      (tree, path) => without(tree, path.split('.')),
      mergePatch(host.file, nested(set)) as Plain,
    );
    this.elapse(5);
    this.restart(name);
    const shown = {
      'kube-apiserver': { 'service-cluster-ip-range': host.apiRange },
      'kube-controller-manager': host.manager ?? {},
    };
    expect(shown).toMatchObject(k0s.shows);
    this.elapse(60);
  }

  #obey(step: Extract<Step, { readonly kind: 'Handoff' }>): void {
    const [group, name = ''] = step.id.split('/');
    if (group === 'node-ips') {
      const nodeIPs = /--node-ip=(\S+)/u.exec(step.command)?.[1]?.split(',') ?? [];
      this.#nodes = this.#nodes.map((node) => (node.name === name ? { ...node, internalIPs: nodeIPs } : node));
      return this.elapse(20);
    }
    if (group === 'service-cidr') {
      // The API servers make it anew from what they run with.
      this.serviceCIDR = [...new Set(this.hosts.map(({ apiRange }) => apiRange))].flatMap((range) => range.split(','));
      return this.elapse(20);
    }
    if (group !== 'k0s-config') throw new Error(`${step.id}: nobody knows how`);
    const host = this.#host(name);
    const part = step.snippets?.find(({ file }) => file === '/etc/k0s/k0s.yaml');
    host.file = mergePatch(host.file, part === undefined ? {} : parse(part.text)) as Plain;
    for (const { path, after } of step.diff) if (after === null) host.file = without(host.file, path.split('.'));
    host.file = seenTo(host.file, step.command);
    this.elapse(5);
    this.restart(name);
    this.elapse(60);
  }

  /** Every controller works out the flags of its controller manager, and the leader writes what kube-proxy gets. */
  #reconcile(): void {
    for (const host of this.hosts) {
      const flags = managerFlags(readK0sSettings(this.object ?? host.file), host.apiRange, this.#options.version);
      const isNew = JSON.stringify(flags) !== JSON.stringify(host.manager);
      const fits = this.#problemOf(flags) === null;
      host.manager = fits ? flags : null;
      if (isNew && this.#lease.holder.startsWith(`${host.name}_`)) this.#lease = { ...this.#lease, holder: 'gone_0' };
    }
    const settings = readK0sSettings(this.object ?? this.hosts[0]?.file);
    const clusterCIDR = podRange(settings, this.#options.version);
    if (clusterCIDR !== this.#proxy.clusterCIDR) this.#proxy = { ...this.#proxy, clusterCIDR, changedAt: this.at };
  }

  /** Why kube-controller-manager would end (pkg/controller/nodeipam of Kubernetes); null: it would not. */
  #problemOf(flags: Readonly<Record<string, string>>): string | null {
    const networks = (flags['cluster-cidr'] ?? '').split(',');
    const isDual = networks.length === 2;
    if (isDual && flags['node-cidr-mask-size'] !== undefined) return 'a mask without a family';
    if (!isDual && flags['node-cidr-mask-size-ipv6'] !== undefined) return 'a mask of a family that is not there';
    const wide = networks.find((network) => network.includes(':'));
    if (wide !== undefined && Number(flags['node-cidr-mask-size-ipv6']) - Number(wide.split('/')[1]) > 16) {
      return 'the node CIDR size is too big';
    }
    const misfit = this.#nodes.some(({ podCIDRs }) =>
      podCIDRs.some((held, index) => networks[index]?.includes(':') !== held.includes(':')),
    );
    return misfit ? 'failed to mark cidr as occupied' : null;
  }

  look(): { readonly facts: ClusterFacts; readonly own: K0sFacts } {
    const nodes = this.#nodes.map((node) => this.#withReport(node));
    const own: K0sFacts = {
      controllers: makeControllers(
        nodes,
        known(this.hosts.map((host) => ({ hostname: host.name, holder: identityOf(host) }))),
      ),
      clusterConfig: known(
        this.object === null
          ? null
          : {
              settings: readK0sSettings(this.object),
              hasNetwork: true,
              resourceVersion: String(this.#resourceVersion),
              changedAt: iso(this.#changedAt),
            },
      ),
      proxyConfig: known({
        clusterCIDR: this.#proxy.clusterCIDR,
        text: `clusterCIDR: ${this.#proxy.clusterCIDR}\n`,
        changedAt: iso(this.#proxy.changedAt),
      }),
      proxy: known(
        workloadFacts('kube-proxy', [], {
          desired: nodes.length,
          templateAnnotations: this.#proxy.hash === '' ? {} : { 'dualstack.dev/config-hash': this.#proxy.hash },
          pods: nodes.map(({ name }) =>
            podFacts({ name: `kube-proxy-${name}`, node: name, startedAt: iso(this.#proxy.podsStartedAt) }),
          ),
        }),
      ),
      lease: known({
        holder: this.#lease.holder,
        acquiredAt: iso(this.#lease.acquiredAt),
        renewedAt: iso(this.#lease.renewedAt),
      }),
      transfer: null,
      serviceCIDR: known(this.serviceCIDR),
    };
    const facts = clusterFacts(
      { nodes },
      {
        at: this.at,
        basics: basics({ nodes, kubernetesVersion: this.#options.version }),
        serviceCIDR: known(this.serviceCIDR),
        records: known(this.#first),
      },
    );
    return { facts: { ...facts, distribution: { name: 'K0s', detectedBy: 'a test', own } }, own };
  }

  #withReport(node: NodeFacts): NodeFacts {
    const host = this.hosts.find(({ name, isSeen }) => isSeen && name === node.name);
    if (host === undefined) return node;
    const started = iso(host.startedAt);
    const k0s = {
      file: '/etc/k0s/k0s.yaml',
      settings: readK0sSettings(host.file),
      problem: '',
      dynamic: this.object !== null,
      ...(this.#options.byAgent === true ? { byHand: '', healthy: host.manager !== null } : {}),
      running: {
        'kube-apiserver': running({ 'service-cluster-ip-range': host.apiRange }, started),
        'kube-controller-manager': host.manager === null ? null : running(host.manager, started),
      },
    };
    const first = host.first;
    const recorded = first && {
      k0s: Object.fromEntries(EDITABLE_K0S_SETTINGS.map((path) => [path, first[path] ?? null])),
    };
    const spec = host.asked === undefined ? {} : { k0s: host.asked };
    const report = { k0s, ...(recorded === undefined ? {} : { recorded }) };
    return merge<NodeFacts>(node, { controlPlane: true, agent: { spec, report } });
  }

  #host(name: string): Host {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new Error(`no controller ${name}`);
    return host;
  }
}

/** What the command says in words of settings that may be there. */
function seenTo(file: Plain, command: string): Plain {
  const part = (words: string): readonly string[] =>
    (new RegExp(`${words} where it is set: ([^;)]+)`, 'u').exec(command)?.[1] ?? '').split(', ').filter(Boolean);
  const shorter = part('remove').reduce((tree, path) => without(tree, path.split('.')), file);
  return part('change').reduce((tree, pair) => {
    const [path = '', value = ''] = pair.split(': ');
    if (at(tree, ...path.split('.')) === undefined) return tree;
    const patch = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    return mergePatch(tree, patch) as Plain;
  }, shorter);
}

const iso = (at: number): string => new Date(at).toISOString();
const identityOf = ({ name, starts }: Host): string => `apiserver-${name}_${starts}`;
const holderOf = ({ name, starts, manager }: Host): string => `${name}_${starts}${JSON.stringify(manager).length}`;
