import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import type { ClusterStatus } from '../../src/api/cluster-status.ts';
import type { TestCluster } from '../cluster/index.ts';
import { conditionOf, statusNow, summary } from './conversion.ts';
import { PROGRAM } from './install.ts';
import { without } from './k0s-rules.ts';
import { mergePatch, type Plain } from './merge-patch.ts';
import { K0S_FILE, type PlayedK0s } from './played-k0s.ts';

/** A step of `kubectl dualstack plan -o json` that is left to people. */
interface Asked {
  readonly id: string;
  readonly kind: string;
  readonly target: string;
  readonly state: string;
  readonly command: string;
  readonly snippets: readonly { readonly file: string; readonly text: string }[];
  readonly diff: readonly { readonly path: string; readonly after: string | null }[];
}

/** Somebody who does what the plan says while the status waits for him, and nothing else. */
export class K0sUser {
  /** Ids of the steps that he did, in their order. */
  readonly done: string[] = [];
  readonly #cluster: TestCluster;
  readonly #k0s: PlayedK0s;

  constructor(cluster: TestCluster, k0s: PlayedK0s) {
    this.#cluster = cluster;
    this.#k0s = k0s;
  }

  /** Helps until the status is so; a time-out tells the last one. */
  async until(holds: (status: ClusterStatus) => boolean, deadlineMs: number): Promise<ClusterStatus> {
    const end = performance.now() + deadlineMs;
    let last: ClusterStatus | undefined;
    while (performance.now() < end) {
      last = await statusNow(this.#cluster);
      if (last !== undefined && holds(last)) return last;
      const ready = conditionOf(last, 'Ready');
      if (ready?.reason === 'WaitingForUser') await this.#help(ready.message);
      await sleep(200);
    }
    throw new Error(`not within ${deadlineMs / 1000} s; did ${this.done.join(' ')}; last seen: ${summary(last)}`);
  }

  /** @param message The status' own words, which begin with what is to be changed. */
  async #help(message: string): Promise<void> {
    const open = (await this.#plan()).filter(({ kind, state }) => kind === 'Handoff' && state === 'Pending');
    const asked = open.find(({ target }) => message.startsWith(`${target}:`));
    if (asked === undefined || this.done.includes(asked.id)) return;
    const [group, name = ''] = asked.id.split('/');
    if (group === 'node-ips') await this.#giveNodeIP(name, asked);
    else if (group === 'k0s-config') await this.#editFile(name, asked);
    else if (group === 'service-cidr') await this.#remake(asked);
    else throw new Error(`nobody knows how to do ${asked.id}`);
    this.done.push(asked.id);
  }

  #plan(): Promise<readonly Asked[]> {
    const args = [PROGRAM, '--kubeconfig', this.#cluster.kubeconfig, 'plan', '-o', 'json'];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { maxBuffer: 16 << 20 }, (_error, out) => {
        // The API may be away: then there is nothing to be read now.
        resolve(out.startsWith('{') ? (JSON.parse(out) as { steps: Asked[] }).steps : []);
      });
    });
  }

  /** k0s hands `--kubelet-extra-args` to its kubelet. */
  async #giveNodeIP(name: string, { command }: Asked): Promise<void> {
    const nodeIP = /--kubelet-extra-args=--node-ip=([0-9a-f.:,]+)/u.exec(command)?.[1];
    if (nodeIP === undefined) throw new Error(`no --node-ip in: ${command}`);
    const node = this.#cluster.node(name);
    await writeFile(join(node.hostRoot, 'etc/default/kubelet'), `KUBELET_EXTRA_ARGS=--node-ip=${nodeIP}\n`);
    node.kubelet.restart();
  }

  async #editFile(name: string, { snippets, diff }: Asked): Promise<void> {
    const path = join(this.#cluster.node(name).hostRoot, K0S_FILE);
    const part = snippets.find(({ file }) => file === K0S_FILE);
    const live = parse(await readFile(path, 'utf8')) as Plain;
    const merged = mergePatch(live, part === undefined ? {} : parse(part.text)) as Plain;
    const gone = diff.filter(({ after }) => after === null);
    await writeFile(path, stringify(gone.reduce((tree, change) => without(tree, change.path.split('.')), merged)));
    await this.#k0s.restart(name);
  }

  /** The three commands, in their order. */
  async #remake({ snippets }: Asked): Promise<void> {
    const keeper = snippets.find(({ file }) => file === 'keeper.yaml')?.text ?? '';
    await this.#cluster.kubectl(['create', '-f', '-'], keeper);
    await this.#cluster.kubectl(['delete', 'servicecidr', 'kubernetes', '--timeout=60s']);
    await this.#cluster.kubectl(['wait', '--for=create', 'servicecidr/kubernetes', '--timeout=60s']);
    await this.#cluster.kubectl(['wait', '--for=condition=Ready', 'servicecidr/kubernetes', '--timeout=60s']);
    await this.#cluster.kubectl(['delete', 'servicecidr', 'dualstack-keeper', '--timeout=60s']);
  }
}
