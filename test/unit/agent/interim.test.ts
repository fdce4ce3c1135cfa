import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { asInterim, readInterim, withoutInterim } from '../../../src/agent/interim.ts';
import { readPodGroups } from '../../../src/agent/pod-groups.ts';
import { APISERVER, TestHost, apiServerManifest, kcmManifest } from '../../support/agent-host.ts';

const OLD = '0123456789abcdef0123456789abcdef';
const NEW = 'fedcba9876543210fedcba9876543210';
const ETCD = '00000000000000000000000000000000';
const WAITS = { pod: OLD, at: 1_234_567 };

describe('the mark of an interim manifest', () => {
  const noMetadataBefore = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n';
  test.each([
    ['annotations', apiServerManifest(), '    dualstack.dev/waits-for: '],
    ['no annotations', kcmManifest(), '  annotations: {dualstack.dev/waits-for: '],
    ['lines of Windows', apiServerManifest().replaceAll('\n', '\r\n'), '    dualstack.dev/waits-for: '],
  ])('goes in and out of a manifest with %s without a trace', (_, text, line) => {
    const marked = asInterim(text, WAITS) ?? '';
    expect(marked).toContain(line);
    expect(readInterim(marked)).toEqual(WAITS);
    expect(withoutInterim(marked)).toBe(text);
    const later = asInterim(marked, { pod: OLD, at: 2_000_000 }) ?? '';
    expect(readInterim(later)).toEqual({ pod: OLD, at: 2_000_000 });
    expect(withoutInterim(later)).toBe(text);
  });

  test.each([
    ['a map in braces', noMetadataBefore],
    ['JSON', '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}'],
    ['two documents', `${kcmManifest()}---\n${kcmManifest()}`],
    ['annotations in braces', 'kind: Pod\nmetadata:\n  annotations: {a: b}\n  name: a\n'],
    ['annotations that are none', 'kind: Pod\nmetadata:\n  annotations: text\n  name: a\n'],
    ['no metadata', 'kind: Pod\n'],
    ['no text', ''],
    ['no YAML', 'a: [\n'],
  ])('has no place in %s', (_, text) => {
    expect(asInterim(text, WAITS)).toBeNull();
    expect(withoutInterim(text)).toBe(text);
  });
});

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

const GROUPS = '/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice';
const folderOf = (uid: string): string => `${GROUPS}/kubepods-burstable-pod${uid}.slice`;

describe('control groups of pods', () => {
  test.each([
    ['systemd', folderOf(OLD)],
    ['cgroupfs', `/sys/fs/cgroup/kubepods/burstable/pod${OLD}`],
    ['cgroupfs, guaranteed', `/sys/fs/cgroup/kubepods/pod${OLD}`],
    ['version 1', `/sys/fs/cgroup/memory/kubepods/besteffort/pod${OLD}`],
    ['kind', `/sys/fs/cgroup/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${OLD}.slice`],
    ['below a root for the kubelet', `/sys/fs/cgroup/kubelet/kubepods/burstable/pod${OLD}`],
  ])('are found: %s', (_, folder) => {
    host.write(`${folder}/cgroup.procs`, '');
    expect(readPodGroups(host.files)).toEqual([OLD]);
  });

  test('that cannot be read are not known, and the agent goes on', () => {
    const files = {
      ...host.files,
      list: () => {
        throw new Error('EACCES');
      },
    };
    expect(readPodGroups(files)).toBeNull();
  });

  test('that are nowhere are not known to be none', () => {
    host.write('/sys/fs/cgroup/system.slice/kubelet.service/cgroup.procs', '');
    expect(readPodGroups(host.files)).toBeNull();
  });
});

const DUAL = '10.96.0.0/16,fd00:10:96::/112';

/** The API server's process and log as the kubelet has them for a pod of that uid; etcd's pod is there throughout. */
function startAs(uid: string): void {
  host.write(`${folderOf(ETCD)}/cgroup.procs`, '');
  const pid = host.startFromManifest('kube-apiserver');
  host.write(`/proc/${pid}/cgroup`, `0::/../../kubepods-burstable-pod${uid}.slice/cri-containerd-1.scope\n`);
  host.write(`/var/log/pods/kube-system_kube-apiserver-cp-1_${uid}/kube-apiserver/0.log`, '');
  host.write(`${folderOf(uid)}/cgroup.procs`, `${pid}\n`);
}

async function editApiServer(): Promise<void> {
  startAs(OLD);
  host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
  await host.settle();
  await host.settle();
}

const isHeldBack = (): boolean => readInterim(host.read(APISERVER)) !== null;

describe('an edited manifest', () => {
  test('is held back until the kubelet has finished with the old pod, and no longer', async () => {
    await editApiServer();
    expect(isHeldBack()).toBe(true);
    expect(withoutInterim(host.read(APISERVER))).toBe(apiServerManifest(DUAL));

    host.stop('kube-apiserver');
    await host.settle(3);
    expect(isHeldBack()).toBe(true);
    host.remove(folderOf(OLD));
    await host.settle(1);
    expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));

    startAs(NEW);
    await host.settle(3);
    expect(host.condition('Applied').status).toBe('True');
  });

  test('is another one to the kubelet before that would look at it again, however long the old pod takes', async () => {
    await editApiServer();
    const seen = new Set([host.read(APISERVER)]);
    for (let waited = 0; waited < 30; waited += 1) {
      const before = host.read(APISERVER);
      const since = readInterim(before)!.at;
      await host.settle(1);
      seen.add(host.read(APISERVER));
      expect(readInterim(host.read(APISERVER))!.at - since).toBeLessThan(10_000);
    }
    expect(seen.size).toBe(4);
    host.stop('kube-apiserver');
    host.remove(folderOf(OLD));
    await host.settle(1);
    expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
  });

  test('is let go by the next agent when this one ends', async () => {
    await editApiServer();
    host.stop('kube-apiserver');
    host.remove(folderOf(OLD));
    host.newAgent();
    await host.settle(1);
    expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
  });

  test('stays as it is where the kubelet runs it already, and loses its mark with the next edit', async () => {
    await editApiServer();
    startAs(NEW);
    host.remove(folderOf(OLD));
    await host.settle(20);
    await host.settle(700);
    expect(isHeldBack()).toBe(true);
    expect(host.condition('Applied').status).toBe('True');

    host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': '10.96.0.0/16' } } });
    await host.settle();
    host.stop('kube-apiserver');
    host.remove(folderOf(NEW));
    await host.settle(1);
    expect(host.read(APISERVER)).toBe(apiServerManifest());
  });

  test('that the kubelet ran all the same is not touched when its process ends for a moment, weeks later', async () => {
    await editApiServer();
    startAs(NEW);
    host.remove(folderOf(OLD));
    await host.settle(20);
    await host.settle(700);
    const before = host.read(APISERVER);
    host.stop('kube-apiserver');
    await host.settle(1);
    await host.settle(30);
    expect(host.read(APISERVER)).toBe(before);
  });

  test('is left to the kubelet when it may have begun to start it', async () => {
    await editApiServer();
    const before = host.read(APISERVER);
    host.stop('kube-apiserver');
    host.remove(folderOf(OLD));
    await host.settle(9.8);
    expect(host.read(APISERVER)).toBe(before);
    startAs(NEW);
    await host.settle(3);
    expect(host.condition('Applied').status).toBe('True');
  });

  test('that does not work is undone to the byte, also while it is held back', async () => {
    await editApiServer();
    await host.settle(200);
    expect(isHeldBack()).toBe(true);
    await host.settle(400);
    expect(host.read(APISERVER)).toBe(apiServerManifest());
    expect(host.condition('RolledBack').status).toBe('True');
  });

  test('of somebody else is not touched', async () => {
    await editApiServer();
    const theirs = apiServerManifest('10.200.0.0/16');
    host.write(APISERVER, theirs);
    host.remove(folderOf(OLD));
    await host.settle(1);
    expect(host.read(APISERVER)).toBe(theirs);
  });

  test('is not let go because no control group can be seen any more: that is not known to be the end of the pod', async () => {
    await editApiServer();
    const before = host.read(APISERVER);
    host.stop('kube-apiserver');
    host.remove('/sys/fs/cgroup');
    await host.settle(9);
    expect(host.read(APISERVER)).toBe(before);
    startAs(NEW);
    await host.settle(3);
    expect(host.condition('Applied').status).toBe('True');
  });

  test('waits for nobody where the old pod’s control group is not seen', async () => {
    startAs(OLD);
    host.remove('/sys/fs/cgroup');
    host.ask({ staticPods: { 'kube-apiserver': { 'service-cluster-ip-range': DUAL } } });
    await host.settle();
    await host.settle();
    expect(host.read(APISERVER)).toBe(apiServerManifest(DUAL));
  });
});
