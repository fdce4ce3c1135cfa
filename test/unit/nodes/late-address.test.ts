import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect } from '@jest/globals';
import type { HostReport } from '../../../src/model/host.ts';
import { diagnose } from '../../../src/nodes/diagnose.ts';
import { nodeFacts } from '../../support/facts.ts';
import { hostWith, whereItRuns } from '../../support/namespace.ts';
import { OUTLOOK, V4, V6 } from './situation.ts';

// A whole agent in namespaces of its own, which follows what really happens there. The kubelet is a process of that name and with these arguments.
const AGENT = fileURLToPath(new URL('../../support/agent-in-namespace.ts', import.meta.url));
const DEADLINE_MS = 20_000;
const OTHER = '2001:db8::dead';

/** The shell goes on with the lines that it is given. Mounts go with it: the host's `/proc` below the agent's root is that of the namespace. */
const SCRIPT = `${hostWith(V4)}
mount --rbind /proc "$1/proc"
cp "$(command -v bash)" "$1/kubelet"
set +e
"$0" "$2" "$1" & agent=$!
while read -r line; do eval "$line" >&2 </dev/null; done
`;

let root: string;
let host: ChildProcess;
let last: HostReport | null;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dsns-'));
  mkdirSync(join(root, 'proc'));
  last = null;
});

afterEach(async () => {
  if (host?.exitCode === null) {
    const ended = new Promise((resolve) => host.once('exit', resolve));
    host.kill('SIGKILL');
    await ended;
  }
  rmSync(root, { recursive: true, force: true });
});

function boot(): void {
  const namespaces = ['-n', '-p', '-m', '-f', '--mount-proc', '--kill-child'];
  host = spawn('unshare', [...namespaces, 'sh', '-c', SCRIPT, process.execPath, root, AGENT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  createInterface({ input: host.stdout! }).on('line', (line) => {
    last = JSON.parse(line) as HostReport;
  });
}

const run = (...lines: readonly string[]): void => void host.stdin!.write(lines.map((line) => `${line}\n`).join(''));
/** Once the agent is up: before, a hang-up would end it. */
const LOOK = 'sleep 0.2; kill -HUP $agent';
/** In place of the one that runs. */
const startKubelet = (nodeIP: string): void =>
  run('kill $kubelet 2>/dev/null', `"$1/kubelet" -c 'sleep 1000; :' kubelet --node-ip=${nodeIP} & kubelet=$!`);

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** As hosts of machine-controller have it. */
const SCRIPTED = `[Service]
ExecStart=/usr/bin/kubelet --node-ip \${KUBELET_NODE_IP}
EnvironmentFile=-/etc/kubernetes/nodeip.conf
`;

async function told(cause: string | null, internalIPs: readonly string[] = [V4]) {
  const end = performance.now() + DEADLINE_MS;
  let seen: string | null = null;
  while (performance.now() < end) {
    if (last !== null) {
      const node = nodeFacts(1, {}, { internalIPs });
      if (node.agent === null) throw new Error('no agent');
      const now = Date.now();
      const diagnosis = diagnose({ ...node, agent: { ...node.agent, report: last } }, { ...OUTLOOK, now });
      if (cause === (diagnosis?.cause ?? null)) return diagnosis;
      seen = diagnosis?.sentence ?? null;
    }
    await sleep(20);
  }
  throw new Error(`not told as ${cause}, but: ${seen}; ${JSON.stringify(last)}`);
}

whereItRuns(
  'an address comes after a kubelet whose script asked at boot; then the kubelet ends, and is started again',
  async () => {
    write('/etc/systemd/system/kubelet.service', SCRIPTED);
    write('/etc/kubernetes/nodeip.conf', `KUBELET_NODE_IP=${V4}\n`);
    boot();
    startKubelet(V4);
    await told('LinkLocalOnly');

    run(`ip -6 address add ${V6}/64 dev eth0`);
    const came = performance.now();
    const late = await told('LateAddress');
    // Duplicate address detection takes a second or two of it.
    expect(performance.now() - came).toBeLessThan(6_000);
    expect(late?.sentence).toMatch(/^2001:db8::11 came to worker-1 after its kubelet had started/u);
    expect(late?.evidence).toContain('the address came after the kubelet had started');
    expect(late?.fix.short).toBe('restart its kubelet, so that the script looks again');

    run('kill $kubelet', LOOK);
    expect((await told('KubeletNotRunning'))?.evidence).toContain('no kubelet process');
    startKubelet(V4);
    run(LOOK);
    const had = await told('KubeletNodeIPSingleFamily');
    expect(had?.fix.short).toBe('have that script give both families, then restart its kubelet');
  },
  90_000,
);

whereItRuns(
  'a kubelet that is told an address that is not there, that comes, and that goes',
  async () => {
    boot();
    run(`ip -6 address add ${V6}/64 dev eth0`);
    startKubelet(`${V4},${OTHER}`);
    expect((await told('KubeletNodeIPNotOnHost'))?.sentence).toContain(`its host has no ${OTHER}`);
    run(`ip -6 address add ${OTHER}/64 dev eth0`);
    expect((await told('LateAddress'))?.fix.short).toContain('wait a minute');
    expect(await told(null, [V4, OTHER])).toBeNull();
    run(`ip -6 address del ${OTHER}/64 dev eth0`);
    expect((await told('AddressGone', [V4, OTHER]))?.fix.command).toContain(`${V4},${V6}`);
  },
  90_000,
);
