import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Fabric } from './fabric.ts';
import { ip, Machine, type MachineOptions } from './machine.ts';
import { type Family, familyOf, type Network, type NodeAddresses, type Settings } from './options.ts';
import { failure, type Outcome, type RunOptions } from './run.ts';

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];
/** Folders of the disk that cover the host's folder instead of lying over it. */
const COVERED = /^\/etc\/(kubernetes|cni|sysctl\.d|systemd\/system)(\/|$)/;
const ETCD = '/var/lib/etcd';
/** While it is there, etcd's disk is slow. */
const SLOW_MARK = '/run/slow-disk';
const MS = 1000;
const UPPER = /^\/(etc|usr)\//;

/** One host of a cluster, with whatever runs on it. */
export class RealNode {
  readonly name: string;
  readonly role: NodeAddresses['role'];
  readonly IPv4: string;
  readonly IPv6: string;
  readonly disk: string;
  readonly machine: Machine;
  readonly #network: Network;
  readonly #fabric: () => Fabric;
  readonly #cable: string;
  readonly #addresses: Set<string>;
  #partitioned = false;
  #slow: Promise<Outcome> | undefined;

  constructor(
    addresses: NodeAddresses,
    index: number,
    settings: Settings,
    fabric: () => Fabric,
    machine: MachineOptions,
  ) {
    this.name = addresses.name;
    this.role = addresses.role;
    this.IPv4 = addresses.IPv4;
    this.IPv6 = addresses.IPv6;
    this.disk = machine.disk;
    this.machine = new Machine(machine);
    this.#network = settings.network;
    this.#fabric = fabric;
    this.#cable = `node${index}`;
    const { hostFamilies } = settings.host(this.name);
    this.#addresses = new Set(
      FAMILIES.filter((family) => hostFamilies === 'dual' || hostFamilies === family).map(
        (family) => addresses[family],
      ),
    );
  }

  /** What is on `eth0`, but for link-local addresses. */
  get addresses(): readonly string[] {
    return [...this.#addresses];
  }

  /** Runs a program inside: all namespaces of the node, root, an empty environment but for PATH, HOME and KUBECONFIG. */
  exec(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.machine.exec(argv, options);
  }

  /** As `exec`, but a code other than 0 is an error. Returns what it printed. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const outcome = await this.exec(argv, options);
    if (outcome.code !== 0) throw new Error(`${this.name}: ${failure(argv, outcome)}`);
    return outcome.stdout;
  }

  /** Path outside of a file inside. Only for /etc/kubernetes, /etc/systemd/system, /etc/cni, /etc/sysctl.d, /var/lib, /var/log and /opt. */
  onDisk(path: string): string {
    if (COVERED.test(path)) return join(this.disk, 'covered', path);
    if (UPPER.test(path))
      throw new Error(`${path}: lies over the test machine's own file; read and write it with exec()`);
    return join(this.disk, path);
  }

  readFile(path: string): string {
    return readFileSync(this.onDisk(path), 'utf8');
  }

  writeFile(path: string, text: string): void {
    const file = this.onDisk(path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** `kubelet` or `containerd`; empty before it has said anything. */
  readLog(service: 'kubelet' | 'containerd'): string {
    const file = this.onDisk(`/var/log/${service}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** From now on the kubelet starts at boot. */
  enableKubelet(): void {
    const wants = this.onDisk('/etc/systemd/system/node.target.wants');
    mkdirSync(wants, { recursive: true });
    const link = join(wants, 'kubelet.service');
    if (!existsSync(link)) symlinkSync('/usr/lib/systemd/system/kubelet.service', link);
  }

  /** Adds an address to `eth0`, by default the node's own one of IPv6: IPv6 that comes late. */
  async addAddress(address: string = this.IPv6): Promise<void> {
    this.#addresses.add(address);
    if (this.machine.isOn) await ip(this.machine.pid, [this.#add(address), ...this.#defaultRoutes()]);
  }

  /** Takes an address away, by default the node's own one of IPv6, and the default route with the last one of a family. */
  async removeAddress(address: string = this.IPv6): Promise<void> {
    this.#addresses.delete(address);
    if (!this.machine.isOn) return;
    const family = familyOf(address);
    const last = ![...this.#addresses].some((other) => familyOf(other) === family);
    await ip(this.machine.pid, [
      ...(last ? [`route delete default via ${this.#network.gateway[family]} dev eth0`] : []),
      `addr delete ${this.#withPrefix(address)} dev eth0`,
    ]);
  }

  /** Replaces the node's address of one family by another of the same subnet. Returns the new one. */
  async renumber(family: Family, to: string = this.#spare(family)): Promise<string> {
    await this.addAddress(to);
    for (const address of this.addresses) {
      if (familyOf(address) === family && address !== to) await this.removeAddress(address);
    }
    if (this.machine.isOn) await ip(this.machine.pid, this.#defaultRoutes());
    return to;
  }

  /** No packet gets in or out, while `eth0` still has its link. */
  async partition(): Promise<void> {
    this.#partitioned = true;
    await this.#fabric().setPassing(this.#cable, false);
  }

  async heal(): Promise<void> {
    this.#partitioned = false;
    await this.#fabric().setPassing(this.#cable, true);
  }

  /**
   * Makes etcd's disk stop again and again: each write that meets it waits up to `stallMs`, then all goes on for `goMs`.
   * Wants `ownEtcdDisk`. Ends with `normalDisk()`, or when the node is switched off.
   */
  async slowDisk({ stallMs = 300, goMs = 100 }: { stallMs?: number; goMs?: number } = {}): Promise<void> {
    if (!existsSync(join(this.disk, 'etcd.img'))) {
      throw new Error(
        `${this.name}: no disk to slow down; start the cluster with ownEtcdDisk: true (control-plane nodes)`,
      );
    }
    await this.normalDisk();
    await this.run(['touch', SLOW_MARK]);
    // One shell for all turns: entering the node for each would take longer than the turn.
    const turn = `fsfreeze --freeze ${ETCD}; sleep ${stallMs / MS}; fsfreeze --unfreeze ${ETCD}; sleep ${goMs / MS}`;
    this.#slow = this.exec(['sh', '-c', `while [ -e ${SLOW_MARK} ]; do ${turn}; done`]);
  }

  async normalDisk(): Promise<void> {
    const slow = this.#slow;
    this.#slow = undefined;
    if (slow === undefined || !this.machine.isOn) return;
    await this.run(['rm', '-f', SLOW_MARK]);
    await slow;
  }

  /** Boots with what is on its disk. Returns when systemd is up, which is before the kubelet is. */
  async powerOn(): Promise<void> {
    await this.machine.powerOn((pid) => this.#connect(pid));
  }

  /** As if the plug was pulled. */
  async powerOff(): Promise<void> {
    this.#slow = undefined;
    await this.machine.powerOff();
    await this.#fabric().unplug(this.#cable);
  }

  async reboot(): Promise<void> {
    await this.powerOff();
    await this.powerOn();
  }

  async #connect(pid: number): Promise<void> {
    await this.#fabric().plugIn(this.#cable, pid);
    if (this.#partitioned) await this.#fabric().setPassing(this.#cable, false);
    await ip(pid, [
      'link set lo up',
      ...this.addresses.map((address) => this.#add(address)),
      'link set eth0 up',
      ...this.#defaultRoutes(),
    ]);
  }

  #add(address: string): string {
    return `addr replace ${this.#withPrefix(address)} dev eth0${familyOf(address) === 'IPv6' ? ' nodad' : ''}`;
  }

  #defaultRoutes(): readonly string[] {
    return [...new Set(this.addresses.map(familyOf))].map(
      (family) => `route replace default via ${this.#network.gateway[family]} dev eth0`,
    );
  }

  #withPrefix(address: string): string {
    return `${address}/${this.#network.prefixLength[familyOf(address)]}`;
  }

  /** The own address with its last part raised by 100, or by hexadecimal 100. */
  #spare(family: Family): string {
    const own = this[family];
    const last = own.slice(Math.max(own.lastIndexOf('.'), own.lastIndexOf(':')) + 1);
    const base = own.slice(0, own.length - last.length);
    return family === 'IPv4'
      ? `${base}${Number(last) + 100}`
      : `${base}${(Number.parseInt(last, 16) + 256).toString(16)}`;
  }
}
