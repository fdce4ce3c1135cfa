import { describe, expect, test } from '@jest/globals';
import type { K0sFacts } from '../../../src/distributions/k0s/facts.ts';
import { k0s } from '../../../src/distributions/k0s/index.ts';
import { identityKey } from '../../../src/distributions/k0s/records.ts';
import type { ClusterFacts } from '../../../src/model/facts.ts';
import { known, unknown } from '../../../src/model/reader.ts';
import type { Handoff, Step } from '../../../src/model/step.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import {
  APISERVER_DUAL,
  basics,
  before,
  KCM_DUAL,
  merge,
  nodeFacts,
  POD_RANGES,
  PODS,
  running,
  SERVICE_RANGES,
  SERVICES,
  wantedDual,
  wantedSingle,
} from '../../support/facts.ts';
import {
  ARGS,
  DUAL_SETTINGS,
  firstIdentity,
  OLD_K0S_VERSION,
  SINGLE_SETTINGS,
  withControllers,
} from '../../support/k0s.ts';
import { type Case, states, step, steps } from '../../support/k0s-steps.ts';

const NEW_SERVICES: Partial<K0sFacts> = { serviceCIDR: known([SERVICES.IPv4, SERVICES.IPv6]) };
const restarted = (own: K0sFacts): K0sFacts =>
  withControllers(own, (controller) => ({ ...controller, identity: `apiserver-${controller.name}_second` }));
const recorded = (...names: readonly string[]): Partial<ClusterFacts> => ({
  records: known(Object.fromEntries(names.map((name) => [identityKey(name), { holder: firstIdentity(name) }]))),
});

function asHandoff(found: Step): Step & Handoff {
  if (found.kind !== 'Handoff') throw new Error(`${found.id} is no handoff`);
  return found;
}

describe('recognised', () => {
  const nodes = [nodeFacts(1)];
  test.each<[string, Parameters<typeof basics>[0], string | null]>([
    ['by its version', { nodes, kubernetesVersion: 'v1.36.3+k0s' }, 'Kubernetes version v1.36.3+k0s'],
    ['by its version with a number', { nodes, kubernetesVersion: 'v1.36.3+k0s.1' }, 'Kubernetes version v1.36.3+k0s.1'],
    [
      'by its API group',
      { nodes, groupVersions: ['v1', 'k0s.k0sproject.io/v1beta1'] },
      'API group k0s.k0sproject.io/v1beta1',
    ],
    [
      'by that of its autopilot',
      { nodes, groupVersions: ['autopilot.k0sproject.io/v1beta2'] },
      'API group autopilot.k0sproject.io/v1beta2',
    ],
    ['not: kubeadm', { nodes }, null],
    ['not: k3s', { nodes, kubernetesVersion: 'v1.36.3+k3s1' }, null],
    ['not: a group that ends alike', { nodes, groupVersions: ['notk0sproject.io/v1'] }, null],
  ])('%s', (_name, change, expected) => expect(k0s.detect(basics(change))).toBe(expected));
});

test('a controller and its workers, from nothing: first addresses, then the file, then what follows from it', () => {
  expect(states({})).toEqual({
    'node-ips/w1': 'Pending',
    'node-ips/w2': 'Pending',
    'node-ips/c1': 'Pending',
    'k0s-config/c1': 'Pending',
    'service-cidr': 'Pending',
    'controller-manager/lease': 'Pending',
    'kube-proxy/config': 'Pending',
    'kube-proxy/rollout': 'Pending',
  });
});

test('with dynamic configuration the object is changed too, after the files', () => {
  const ids = steps({ dynamic: true }).map(({ id }) => id);
  expect(ids.indexOf('cluster-config')).toBeGreaterThan(ids.indexOf('k0s-config/c1'));
  expect(states({ dynamic: true })).toMatchObject({ 'cluster-config/order': 'Satisfied', 'cluster-config': 'Pending' });
});

describe('the file of a controller', () => {
  test('its handoff has the exact edit, a check, the restart, both files, and says what is watched for', () => {
    const handoff = step({ version: OLD_K0S_VERSION }, 'k0s-config/c1');
    expect(handoff).toMatchObject({ kind: 'Handoff', holdsUp: true, phase: 'APIServer', target: 'k0s controller c1' });
    expect(handoff.diff).toEqual([
      { path: 'spec.network.dualStack.enabled', before: null, after: 'true' },
      { path: 'spec.network.dualStack.IPv6podCIDR', before: null, after: PODS.IPv6 },
      { path: 'spec.network.dualStack.IPv6serviceCIDR', before: null, after: SERVICES.IPv6 },
      { path: `${ARGS}.cluster-cidr`, before: null, after: POD_RANGES.dual },
      { path: `${ARGS}.node-cidr-mask-size-ipv6`, before: null, after: '64' },
    ]);
    if (handoff.kind !== 'Handoff') throw new Error('not a handoff');
    for (const part of [
      'on c1: set ',
      'k0s config validate --config /etc/k0s/k0s.yaml',
      'systemctl restart k0scontroller',
      'rc-service',
      'k0sctl apply',
    ]) {
      expect(handoff.command).toContain(part);
    }
    expect(handoff.watches).toBe(`kube-apiserver on c1 with --service-cluster-ip-range=${SERVICE_RANGES.dual}`);
    expect(handoff.snippets).toEqual([
      {
        file: '/etc/k0s/k0s.yaml',
        text: `spec:
  network:
    dualStack:
      enabled: true
      IPv6podCIDR: ${PODS.IPv6}
      IPv6serviceCIDR: ${SERVICES.IPv6}
  controllerManager:
    extraArgs:
      cluster-cidr: ${POD_RANGES.dual}
      node-cidr-mask-size-ipv6: "64"
`,
      },
      {
        file: 'k0sctl.yaml',
        text: expect.stringContaining('spec:\n  k0s:\n    config:\n      spec:\n        network:'),
      },
    ]);
  });

  test('one that is right and not yet in force asks for the restart alone', () => {
    const handoff = step({ report: { settings: DUAL_SETTINGS } }, 'k0s-config/c1');
    expect(handoff).toMatchObject({ state: { is: 'Pending' }, diff: [], snippets: [] });
    expect(handoff).toMatchObject({ command: expect.stringMatching(/^on c1: systemctl restart k0scontroller/u) });
  });

  test.each<[string, Case, string]>([
    ['written and not restarted', { report: { settings: DUAL_SETTINGS } }, 'Pending'],
    [
      'restarted with flags of another hand and not written: the next restart would undo it',
      { report: { running: { 'kube-apiserver': running(APISERVER_DUAL) } } },
      'Pending',
    ],
    [
      'written and restarted',
      {
        report: {
          settings: DUAL_SETTINGS,
          running: {
            'kube-apiserver': running(APISERVER_DUAL),
            'kube-controller-manager': running(KCM_DUAL),
          },
        },
      },
      'Satisfied',
    ],
    ['not to be read', { report: { problem: '/etc/k0s/k0s.yaml is not YAML' } }, 'Unknown'],
    ['its API server is away', { dual: true, report: { running: { 'kube-apiserver': null } } }, 'Pending'],
  ])('an agent sees it: %s', (_name, scene, expected) => expect(step(scene, 'k0s-config/c1').state.is).toBe(expected));

  test.each<[string, Case, string]>([
    ['nothing has changed', { hidden: 1 }, 'Pending'],
    ['alone, and the API has the second network', { hidden: 1, own: NEW_SERVICES }, 'Satisfied'],
    [
      'one of three: another one may have brought it',
      { hidden: 3, own: NEW_SERVICES, facts: recorded('x1') },
      'Pending',
    ],
    [
      'one of three, and it was restarted since',
      { hidden: 3, own: NEW_SERVICES, change: restarted, facts: recorded('x1', 'x2', 'x3') },
      'Satisfied',
    ],
    ['restarted, but nothing is recorded to tell by', { hidden: 3, own: NEW_SERVICES, change: restarted }, 'Pending'],
    ['restarted without the network', { hidden: 1, change: restarted, facts: recorded('x1') }, 'Pending'],
    [
      'before Kubernetes 1.33 only the restart can be seen',
      { hidden: 1, own: { serviceCIDR: known(null) }, change: restarted, facts: recorded('x1') },
      'Satisfied',
    ],
    ['what decides cannot be read', { hidden: 1, own: { serviceCIDR: unknown('503') } }, 'Unknown'],
    [
      'no controller manager leads: the file is not the right one',
      {
        hidden: 1,
        own: { ...NEW_SERVICES, lease: known({ holder: 'x1_1', acquiredAt: before(900), renewedAt: before(300) }) },
      },
      'Pending',
    ],
    [
      'with dynamic configuration that is not the fault of the file',
      {
        hidden: 1,
        dynamic: true,
        own: { ...NEW_SERVICES, lease: known({ holder: 'x1_1', acquiredAt: before(900), renewedAt: before(300) }) },
      },
      'Satisfied',
    ],
  ])('no agent sees it: %s', (_name, scene, expected) =>
    expect(step({ controllers: 0, ...scene }, 'k0s-config/x1').state.is).toBe(expected),
  );

  test('without an agent it is told whole, with what may have to go, and every argument that would beat it', () => {
    const handoff = step({ controllers: 0, hidden: 1 }, 'k0s-config/x1');
    const { command } = asHandoff(handoff);
    expect(command).toContain(`(keep what is there already; remove where it is set: ${ARGS}.node-cidr-mask-size; `);
    expect(command).toContain(
      `; change where it is set: ${[
        `spec.api.extraArgs.service-cluster-ip-range: ${SERVICE_RANGES.dual}`,
        `${ARGS}.service-cluster-ip-range: ${SERVICE_RANGES.dual}`,
        `${ARGS}.cluster-cidr: ${POD_RANGES.dual}`,
        `${ARGS}.node-cidr-mask-size-ipv4: 24`,
      ].join(', ')}); then: `,
    );
    expect(handoff.diff.map(({ path }) => path)).toContain('spec.network.serviceCIDR');
  });

  test('without an agent the way back tells the switch and both networks, though k0s would take them by itself', () => {
    const wanted = merge<Wanted>(wantedSingle(), {
      pods: { IPv4: '10.244.0.0/16' },
      services: { IPv4: '10.96.0.0/12' },
    });
    const handoff = step({ controllers: 0, hidden: 1, dual: true, wanted }, 'k0s-config/x1');
    expect(handoff.state.is).toBe('Pending');
    const { command, snippets } = asHandoff(handoff);
    expect(snippets?.[0]?.text).toBe(`spec:
  network:
    podCIDR: 10.244.0.0/16
    serviceCIDR: 10.96.0.0/12
    dualStack:
      enabled: false
`);
    const gone = ['cluster-cidr', 'node-cidr-mask-size-ipv4', 'node-cidr-mask-size-ipv6'];
    expect(command).toContain(`; remove where it is set: ${gone.map((flag) => `${ARGS}.${flag}`).join(', ')}; `);
    expect(command).toContain(
      `; change where it is set: spec.api.extraArgs.service-cluster-ip-range: 10.96.0.0/12, ${ARGS}.service-cluster-ip-range: 10.96.0.0/12); then: `,
    );
    // It is seen only by what comes next, so it does not keep that from being asked for.
    expect(handoff).not.toHaveProperty('holdsUp');
    const older: Case = { controllers: 0, hidden: 1, dual: true, wanted, own: { serviceCIDR: known(null) } };
    expect(step(older, 'k0s-config/x1')).toHaveProperty('holdsUp', true);
  });

  test('what checks and restarts is one command for each init system', () => {
    const check = 'k0s config validate --config /etc/k0s/k0s.yaml';
    expect(asHandoff(step({}, 'k0s-config/c1')).command).toContain(
      `; then: ${check} && systemctl restart k0scontroller; where there is OpenRC: ${check} && rc-service k0scontroller restart. `,
    );
  });
});

describe('dynamic configuration', () => {
  test('is changed with all at once, and no other change is overwritten', () => {
    expect(step({ dynamic: true, version: OLD_K0S_VERSION }, 'cluster-config')).toMatchObject({
      kind: 'ApplyObject',
      phase: 'ControllerManager',
      ref: { kind: 'ClusterConfig', namespace: 'kube-system', name: 'k0s' },
      write: {
        is: 'MergePatch',
        resourceVersion: '9',
        body: {
          spec: {
            network: {
              dualStack: { enabled: true, IPv6podCIDR: PODS.IPv6, IPv6serviceCIDR: SERVICES.IPv6 },
            },
            controllerManager: { extraArgs: { 'cluster-cidr': POD_RANGES.dual, 'node-cidr-mask-size-ipv6': '64' } },
          },
        },
      },
    });
  });

  test('half converted: the object is dual, the files are not; only the files are left', () => {
    const half: Case = {
      dynamic: true,
      own: {
        clusterConfig: known({
          settings: DUAL_SETTINGS,
          hasNetwork: true,
          resourceVersion: '9',
          changedAt: before(9_000),
        }),
      },
    };
    expect(states(half)).toMatchObject({
      'cluster-config/order': 'Satisfied',
      'cluster-config': 'Satisfied',
      'k0s-config/c1': 'Pending',
    });
  });

  test('half converted on a k0s with the wrong order: that is mended before anybody is asked for anything', () => {
    const half: Case = {
      dynamic: true,
      version: OLD_K0S_VERSION,
      own: {
        clusterConfig: known({
          settings: DUAL_SETTINGS,
          hasNetwork: true,
          resourceVersion: '9',
          changedAt: before(900),
        }),
      },
    };
    expect(steps(half)[0]).toMatchObject({
      id: 'cluster-config/order',
      phase: 'NodeIPs',
      state: { is: 'Pending' },
      write: { body: { spec: { controllerManager: { extraArgs: { 'cluster-cidr': POD_RANGES.dual } } } } },
    });
  });

  test.each<[string, Partial<K0sFacts>, string]>([
    ['it cannot be read', { clusterConfig: unknown('forbidden') }, 'cluster-config/read'],
    [
      'it has no network',
      { clusterConfig: known({ settings: {}, hasNetwork: false, resourceVersion: '9', changedAt: null }) },
      'cluster-config',
    ],
  ])('nothing is concluded from it: %s', (_name, own, id) =>
    expect(step({ dynamic: true, own }, id).state.is).toBe('Unknown'),
  );

  test('on the way back arguments get their first values, and those that were not there go', () => {
    const first = { ...SINGLE_SETTINGS, [`${ARGS}.node-cidr-mask-size`]: '25' };
    const wanted = merge<Wanted>(wantedSingle(), { restore: { 'ClusterConfig/kube-system/k0s': first } });
    expect(step({ dynamic: true, dual: true, wanted }, 'cluster-config')).toMatchObject({
      write: {
        body: {
          spec: {
            network: { dualStack: { enabled: false } },
            controllerManager: { extraArgs: { 'node-cidr-mask-size-ipv6': null, 'node-cidr-mask-size': '25' } },
          },
        },
      },
    });
  });
});

describe('addresses of nodes', () => {
  test('both are handed over, with the service that runs there', () => {
    expect(step({}, 'node-ips/w1')).toMatchObject({
      kind: 'Handoff',
      holdsUp: true,
      command: expect.stringContaining(
        'give k0sworker the argument --kubelet-extra-args=--node-ip=192.0.2.12,2001:db8::12',
      ),
    });
    expect(step({}, 'node-ips/c1')).toMatchObject({
      command: expect.stringContaining('systemctl restart k0scontroller'),
    });
  });

  test('the part for k0sctl says that a second --kubelet-extra-args would replace the first', () => {
    expect(asHandoff(step({}, 'node-ips/w1')).snippets).toEqual([
      {
        file: 'k0sctl.yaml, host w1',
        text: expect.stringMatching(
          /^# .*--kubelet-extra-args already.*\n# .*\ninstallFlags:\n {2}- --kubelet-extra-args=--node-ip=192\.0\.2\.12,2001:db8::12\n$/u,
        ),
      },
    ]);
  });

  test.each<[string, Case, string]>([
    ['it has them', { dual: true }, 'Satisfied'],
    ['they are left alone', { wanted: wantedDual({ nodes: { nodeIP: 'Leave' } }) }, 'Satisfied'],
    ['its host has none', { node: (node) => merge(node, { agent: { report: { addresses: [] } } }) }, 'Deferred'],
    ['nobody knows its host', { node: (node) => ({ ...node, agent: null }) }, 'Pending'],
    ['a cloud gives them', { node: (node) => ({ ...node, agent: null, providerID: 'aws:///a/i-1' }) }, 'Deferred'],
    [
      'it is away, and may be',
      { wanted: wantedDual({ tolerateUnavailable: 3 }), node: (node) => ({ ...node, ready: false }) },
      'Deferred',
    ],
    ['it has one too many on the way back', { dual: true, wanted: wantedSingle() }, 'Pending'],
    ['it has one alone on the way back', { wanted: wantedSingle() }, 'Satisfied'],
  ])('%s', (_name, scene, expected) => expect(step(scene, 'node-ips/w1').state.is).toBe(expected));
});

test('controllers without an agent are named again before ServiceCIDR kubernetes is made anew', () => {
  const wanted = wantedSingle();
  const command = (scene: Case): string => asHandoff(step({ dual: true, wanted, ...scene }, 'service-cidr')).command;
  expect(command({ hidden: 2 })).toContain('first the file and the restart of k0s controller x1, x2, as the plan has');
  expect(command({})).not.toContain('first the file');
});

test('on the way back ServiceCIDR kubernetes is made anew by hand, with a keeper for the addresses in use', () => {
  const handoff = step({ dual: true, wanted: wantedSingle() }, 'service-cidr');
  expect(handoff).toMatchObject({ kind: 'Handoff', holdsUp: true, state: { is: 'Pending' } });
  expect(handoff).toMatchObject({
    snippets: [{ file: 'keeper.yaml', text: expect.stringContaining(`cidrs: ["${SERVICES.IPv4}"]`) }],
  });
});
