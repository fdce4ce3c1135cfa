import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { STOP_FILE } from '../../../src/agent/host.ts';
import { STATE_FOLDER } from '../../../src/agent/journal.ts';
import { SYSCTL_FILE } from '../../../src/agent/sysctl.ts';
import { SYSTEM_BUS } from '../../../src/agent/systemd.ts';
import { imageConfig } from '../../e2e/cluster/dockerfile.ts';
import { play } from '../cli/fake-session.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

interface Workload {
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

interface PodSpec {
  readonly containers: readonly {
    readonly env: readonly { readonly name: string }[];
    readonly args: readonly string[];
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
    readonly livenessProbe: { readonly httpGet: { readonly host: string; readonly port: string } };
    readonly volumeMounts?: readonly {
      readonly name: string;
      readonly mountPath: string;
      readonly readOnly?: boolean;
    }[];
  }[];
  readonly volumes?: readonly { readonly name: string; readonly hostPath: { readonly path: string } }[];
}

const podOf = (path: string): PodSpec => (parse(read(path)) as Workload).spec.template.spec;

afterEach(() => {
  delete process.env['NODE_NAME'];
});

describe.each([
  ['operator', 'config/manager/deployment.yaml'],
  ['agent', 'config/agent/daemonset.yaml'],
])('the manifest of the %s', (_, path) => {
  const [container] = podOf(path).containers;

  test('has arguments that the program takes, and ports that it listens on', async () => {
    process.env['NODE_NAME'] = 'worker-1';
    const { code, started, err } = await play(container!.args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const listens = Object.entries(started[0] as object)
      .filter(([name]) => name.endsWith('BindAddress'))
      .map(([, address]) => String(address));
    expect(listens.toSorted()).toEqual(
      container!.ports.map(({ containerPort }) => `127.0.0.1:${containerPort}`).sort(),
    );
    const { host, port } = container!.livenessProbe.httpGet;
    const probed = container!.ports.find(({ name }) => name === port)?.containerPort;
    expect((started[0] as Record<string, unknown>)['healthProbeBindAddress']).toBe(`${host}:${probed}`);
  });

  test('takes the place of no variable that the image sets', () => {
    const { Env = [] } = imageConfig(read('Dockerfile'));
    const names = container!.env.map(({ name }) => name);
    expect(Env.filter((variable) => names.includes(variable.replace(/=.*$/su, '')))).toEqual([]);
  });
});

describe('the mounts of the agent', () => {
  const { containers, volumes = [] } = podOf('config/agent/daemonset.yaml');
  const mounts = (containers[0]?.volumeMounts ?? []).map((mount) => ({
    path: volumes.find((volume) => volume.name === mount.name)?.hostPath.path ?? '',
    mountPath: mount.mountPath,
    access: mount.readOnly === true ? 'read' : 'write',
  }));

  test('show each path of the host below /host', () => {
    expect(mounts.map(({ mountPath }) => mountPath)).toEqual(mounts.map(({ path }) => `/host${path}`));
  });

  test.each([
    [STOP_FILE, 'read'],
    [`${STATE_FOLDER}/state.json`, 'write'],
    [SYSCTL_FILE, 'write'],
    [SYSTEM_BUS, 'read'],
    ['/etc/kubernetes/manifests/kube-apiserver.yaml', 'write'],
    ['/etc/kubernetes/patches/kube-apiserver.yaml', 'read'],
    ['/var/lib/kubelet/kubeadm-flags.env', 'write'],
    ['/etc/default/kubelet', 'write'],
    ['/etc/sysconfig/kubelet', 'write'],
    ['/proc/1/net/if_inet6', 'read'],
    ['/proc/sys/net/ipv6/conf/all/forwarding', 'write'],
    ['/etc/NetworkManager/system-connections/eth0.nmconnection', 'read'],
    ['/run/NetworkManager/system-connections/eth0.nmconnection', 'read'],
    ['/etc/k0s/k0s.yaml', 'write'],
    ['/var/lib/k0s/pki/ca.key', undefined],
    ['/etc/NetworkManager/NetworkManager.conf', undefined],
    ['/etc/shadow', undefined],
    ['/etc/kubernetes/admin.conf', undefined],
    ['/etc/kubernetes/pki/ca.key', undefined],
  ])('give %s for: %s', (file, access) => {
    const closest = mounts
      .filter(({ path }) => file === path || file.startsWith(`${path}/`))
      .toSorted((a, b) => b.path.length - a.path.length)[0];
    expect(closest?.access).toBe(access);
  });

  test('are those of docs/agent.md', () => {
    const rows = read('docs/agent.md').matchAll(/^\| (?<paths>`\/[^|]+) \| (?<access>read|write) \|/gmu);
    const documented = [...rows].flatMap(({ groups }) =>
      [...(groups?.['paths'] ?? '').matchAll(/`([^`]+)`/gu)].map(([, path]) => `${path} ${groups?.['access']}`),
    );
    expect(documented.toSorted()).toEqual(mounts.map(({ path, access }) => `${path} ${access}`).sort());
  });
});

test('Node.js knows the flags that the image gives it', () => {
  const flags = (imageConfig(read('Dockerfile')).Entrypoint ?? []).slice(1, -1);
  expect(flags).not.toEqual([]);
  expect(execFileSync(process.execPath, [...flags, '--print', '1 + 1'], { encoding: 'utf8' })).toBe('2\n');
});

test('what the image runs is what is bundled', () => {
  const { Entrypoint = [] } = imageConfig(read('Dockerfile'));
  expect(Entrypoint.at(-1)).toBe('/app/main.js');
  expect(read('Dockerfile')).toContain('COPY --from=build /build/dist/image/ ./');
  expect(JSON.parse(read('package.json'))).toMatchObject({ bin: { 'kubectl-dualstack': 'dist/main.js' } });
});
