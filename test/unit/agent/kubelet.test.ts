import { afterEach, beforeEach, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { editArgument, readArgument } from '../../../src/agent/env-file.ts';
import { readKubeletSetup } from '../../../src/agent/kubelet.ts';
import { KUBELET_ENV, TestHost } from '../../support/agent-host.ts';

const VARIABLE = 'KUBELET_KUBEADM_ARGS';

function edited(text: string, value: string | null): string {
  const result = editArgument(text, VARIABLE, 'node-ip', value);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

test.each([
  [
    'quoted',
    `${VARIABLE}="--a=1 --node-ip=1.2.3.4 --b"\n`,
    '1.2.3.4',
    `${VARIABLE}="--a=1 --node-ip=5.6.7.8,::1 --b"\n`,
  ],
  ['single quotes', `${VARIABLE}='--node-ip=1.2.3.4'`, '1.2.3.4', `${VARIABLE}='--node-ip=5.6.7.8,::1'`],
  ['bare', `${VARIABLE}=--node-ip=1.2.3.4\r\nX=1\r\n`, '1.2.3.4', `${VARIABLE}=--node-ip=5.6.7.8,::1\r\nX=1\r\n`],
  ['two words', `${VARIABLE}="--node-ip 1.2.3.4"\n`, '1.2.3.4', `${VARIABLE}="--node-ip 5.6.7.8,::1"\n`],
  ['absent', `# c\n${VARIABLE}="--a"\n`, null, `# c\n${VARIABLE}="--a --node-ip=5.6.7.8,::1"\n`],
  ['empty', `${VARIABLE}=""\n`, null, `${VARIABLE}="--node-ip=5.6.7.8,::1"\n`],
  ['empty bare', `${VARIABLE}=\n`, null, `${VARIABLE}=--node-ip=5.6.7.8,::1\n`],
  ['no such variable', 'X=1', null, `X=1\n${VARIABLE}="--node-ip=5.6.7.8,::1"\n`],
  [
    'commented out',
    `#${VARIABLE}="--node-ip=9.9.9.9"\n${VARIABLE}="--c"\n`,
    null,
    `#${VARIABLE}="--node-ip=9.9.9.9"\n${VARIABLE}="--c --node-ip=5.6.7.8,::1"\n`,
  ],
  [
    'assigned twice',
    `${VARIABLE}="--node-ip=1.1.1.1"\n${VARIABLE}="--node-ip=1.2.3.4"\n`,
    '1.2.3.4',
    `${VARIABLE}="--node-ip=1.1.1.1"\n${VARIABLE}="--node-ip=5.6.7.8,::1"\n`,
  ],
  [
    'a longer flag beside it',
    `${VARIABLE}="--cloud-node-ip=7.7.7.7 --node-ip-x=2"\n`,
    null,
    `${VARIABLE}="--cloud-node-ip=7.7.7.7 --node-ip-x=2 --node-ip=5.6.7.8,::1"\n`,
  ],
  [
    'a unit',
    `[Service]\nEnvironment="${VARIABLE}=--node-ip=1.2.3.4 --x"\n`,
    '1.2.3.4',
    `[Service]\nEnvironment="${VARIABLE}=--node-ip=5.6.7.8,::1 --x"\n`,
  ],
])('edits an argument in place: %s', (_, before, was, after) => {
  expect(readArgument(before, VARIABLE, 'node-ip')).toBe(was);
  expect(edited(before, '5.6.7.8,::1')).toBe(after);
});

test('adding and removing gives back the same bytes', () => {
  const word = fc.constantFrom('--a=1', '--b', '--node-labels=x=y', '--v 2', '--cloud-node-ip=1.1.1.1');
  const value = fc
    .tuple(fc.array(word), fc.constantFrom('"', "'", ''))
    .map(([words, quote]) => quote + words.join(' ') + quote);
  fc.assert(
    fc.property(value, fc.constantFrom('\n', '\r\n', ''), fc.constantFrom('', '# x\nY="z"\n'), (content, eol, lead) => {
      const text = `${lead}${VARIABLE}=${content}${eol}`;
      const more = edited(text, '192.0.2.1,2001:db8::1');
      expect(readArgument(more, VARIABLE, 'node-ip')).toBe('192.0.2.1,2001:db8::1');
      expect(edited(more, null)).toBe(text);
    }),
  );
});

let host: TestHost;
beforeEach(() => {
  host = new TestHost();
});
afterEach(() => host.clear());

const DROP_IN = '/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf';
const KUBEADM_DROP_IN = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;
const UNIT = '[Service]\nExecStart=/usr/bin/kubelet\n';

const sourceOf = (): readonly [string | undefined, string | null] => {
  const setup = readKubeletSetup(host.files);
  return [setup.source?.file, setup.nodeIP];
};

test('the later variable of the command line wins, wherever it is set', () => {
  host.write('/usr/lib/systemd/system/kubelet.service', UNIT);
  host.write(DROP_IN, KUBEADM_DROP_IN);
  expect(sourceOf()).toEqual([KUBELET_ENV, '192.0.2.1']);
  host.write('/etc/default/kubelet', 'KUBELET_EXTRA_ARGS=--v=2\n');
  expect(sourceOf()).toEqual([KUBELET_ENV, '192.0.2.1']);
  host.write('/etc/default/kubelet', 'KUBELET_EXTRA_ARGS=--node-ip=192.0.2.9\n');
  expect(sourceOf()).toEqual(['/etc/default/kubelet', '192.0.2.9']);

  const override = '/etc/systemd/system/kubelet.service.d/20-extra.conf';
  host.remove('/etc/default/kubelet');
  host.write(override, '[Service]\nEnvironment="KUBELET_EXTRA_ARGS=--node-ip=192.0.2.8"\n');
  expect(readKubeletSetup(host.files).source).toEqual({
    file: override,
    variable: 'KUBELET_EXTRA_ARGS',
    inUnit: true,
  });
});

test('another order of variables makes another winner', () => {
  host.write(
    DROP_IN,
    KUBEADM_DROP_IN.replace('$KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS', '$KUBELET_EXTRA_ARGS $KUBELET_KUBEADM_ARGS'),
  );
  host.write('/etc/default/kubelet', 'KUBELET_EXTRA_ARGS=--node-ip=192.0.2.9\n');
  expect(sourceOf()).toEqual([KUBELET_ENV, '192.0.2.1']);
});

test('a command that goes on over several lines is read to its end', () => {
  host.write(DROP_IN, KUBEADM_DROP_IN.replace(' $KUBELET_EXTRA_ARGS', ' \\\n  --v=2 \\\n  $KUBELET_EXTRA_ARGS'));
  host.write('/etc/default/kubelet', 'KUBELET_EXTRA_ARGS=--node-ip=192.0.2.9\n');
  expect(sourceOf()).toEqual(['/etc/default/kubelet', '192.0.2.9']);
});

test('a drop-in in /etc replaces one of the same name', () => {
  host.write(DROP_IN, KUBEADM_DROP_IN);
  host.write(
    '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf',
    KUBEADM_DROP_IN.replace('/etc/default/kubelet', '/etc/kubelet.env'),
  );
  host.write('/etc/kubelet.env', 'KUBELET_EXTRA_ARGS=--node-ip=192.0.2.7\n');
  expect(sourceOf()).toEqual(['/etc/kubelet.env', '192.0.2.7']);
});

test('without a unit the order of kubeadm’s packages holds, and without any file there is no source', () => {
  host.write('/etc/sysconfig/kubelet', 'KUBELET_EXTRA_ARGS="--node-ip=192.0.2.6"\n');
  expect(sourceOf()).toEqual(['/etc/sysconfig/kubelet', '192.0.2.6']);
  host.remove('/etc/sysconfig/kubelet');
  host.remove(KUBELET_ENV);
  expect(sourceOf()).toEqual([undefined, null]);
});

test('where nothing sets it, it goes where kubeadm keeps it', () => {
  host.write(DROP_IN, KUBEADM_DROP_IN);
  host.write('/etc/default/kubelet', 'KUBELET_EXTRA_ARGS=\n');
  host.write(KUBELET_ENV, 'KUBELET_KUBEADM_ARGS="--pod-infra-container-image=x"\n');
  expect(sourceOf()).toEqual([KUBELET_ENV, null]);
});

test('manifests and health are where the kubelet’s configuration says', () => {
  host.write('/var/lib/kubelet/config.yaml', 'staticPodPath: /opt/pods\nhealthzPort: 0\n');
  expect(readKubeletSetup(host.files)).toMatchObject({ manifestFolder: '/opt/pods', healthz: null });
  expect(readKubeletSetup(host.files, { 'pod-manifest-path': '/srv/pods' }).manifestFolder).toBe('/srv/pods');
  expect(readKubeletSetup(host.files, { config: '/nowhere' })).toMatchObject({
    manifestFolder: '/etc/kubernetes/manifests',
    healthz: { host: '127.0.0.1', port: 10248, path: '/healthz' },
  });
});

test.each([
  ['none', KUBEADM_DROP_IN, {}, null],
  ['a literal', KUBEADM_DROP_IN.replace('$KUBELET_EXTRA_ARGS', '--node-ip=192.0.2.1'), {}, null],
  [
    'a drop-in that the script writes',
    '[Service]\nExecStart=\nExecStart=/opt/bin/kubelet $KUBELET_EXTRA_ARGS \\\n  --node-ip ${KUBELET_NODE_IP} \\\n  --v=2\n',
    {
      '/etc/systemd/system/kubelet.service.d/nodeip.conf': '[Service]\nEnvironment="KUBELET_NODE_IP=192.0.2.1"\n',
    },
    '/etc/systemd/system/kubelet.service.d/nodeip.conf',
  ],
  [
    'a file that is not seen here',
    '[Service]\nEnvironmentFile=/etc/kubernetes/nodeip.conf\nExecStart=/opt/bin/kubelet --node-ip=$KUBELET_NODE_IP\n',
    {},
    'KUBELET_NODE_IP',
  ],
  [
    'a file that is',
    '[Service]\nEnvironmentFile=/etc/default/nodeip\nExecStart=/opt/bin/kubelet --node-ip=$KUBELET_NODE_IP\n',
    { '/etc/default/nodeip': 'KUBELET_NODE_IP=192.0.2.1\n' },
    '/etc/default/nodeip',
  ],
])('a script that works --node-ip out: %s', (_, dropIn, files, expected) => {
  host.write(DROP_IN, dropIn);
  for (const [path, text] of Object.entries(files)) host.write(path, text);
  expect(readKubeletSetup(host.files).nodeIPFrom).toBe(expected);
});
