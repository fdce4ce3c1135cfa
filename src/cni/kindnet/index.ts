import type { ComponentFacts } from '../../model/facts.ts';
import { type Finding, finding, notInstalled, unreadable } from '../../model/finding.ts';
import { refText } from '../../model/object.ts';
import type { Phase } from '../../model/phase.ts';
import { replacePods } from '../../model/plugin.ts';
import { everyWay } from '../../model/support.ts';
import type { Wanted } from '../../model/wanted.ts';
import { signOf } from '../../model/workload.ts';
import { parseCidr } from '../../net/cidr.ts';
import type { CNI } from '../contract.ts';
import { DAEMON_SET, type KindnetFacts, ROLLOUT_ANNOTATION, SUBNET_ENV } from './facts.ts';
import { observe } from './observe.ts';
import { records, steps } from './steps.ts';

/** The network that kind installs, and its descendant that is installed on its own. */
export const kindnet: CNI<KindnetFacts> = {
  name: 'Kindnet',
  support: {
    page: 'kindnet',
    ways: {
      ...everyWay({
        is: 'Converted',
        on: 'RecordedFacts',
        test: 'test/e2e/control-plane/kindnet.test.ts',
        note: 'a real control plane, kindnetd played',
      }),
      IPv6ToDual: {
        is: 'Converted',
        on: 'RecordedFacts',
        test: 'test/api/node-ipam-cnis.test.ts',
        note: 'its steps on a real API server',
      },
      RollBack: { is: 'Converted', on: 'RecordedFacts', test: 'test/unit/cni/kindnet.test.ts' },
    },
  },
  permissions: [
    {
      why: 'tell kindnet the pod networks of both families',
      namespace: 'kube-system',
      apiGroups: ['apps'],
      resources: ['daemonsets'],
      resourceNames: [DAEMON_SET.name],
      verbs: ['get', 'patch'],
    },
    replacePods('kindnet', 'kube-system'),
  ],
  workloads: [{ ref: DAEMON_SET, annotation: ROLLOUT_ANNOTATION, env: [SUBNET_ENV] }],
  usesNodeIPAM: true,
  detect: (basics) => signOf(basics, DAEMON_SET),
  observe,
  check,
  steps,
  components,
  records: (_facts, own) => records(own),
  podCIDRs,
};

const KINDNET_PHASES: readonly Phase[] = ['CNIAgents'];

function check(wanted: Wanted, _facts: unknown, own: KindnetFacts): readonly Finding[] {
  if (wanted.direction === 'Forward' && wanted.families.length === 1) return [];
  if (!own.known) return [unreadable(DAEMON_SET, own.why, KINDNET_PHASES)];
  if (own.value === null) return [notInstalled(DAEMON_SET, 'kind installed its network', KINDNET_PHASES)];
  const { subnet, owner } = own.value;
  return [
    ...(subnet?.is === 'From'
      ? [
          finding('CNIConfigUnsupported', DAEMON_SET, KINDNET_PHASES, {
            message: `${refText(DAEMON_SET)}: env ${SUBNET_ENV} comes from ${subnet.source}, so no value can be set beside it`,
            remedy: 'Change it there to the networks of both families, comma-separated, and set spec.cni: Unmanaged.',
          }),
        ]
      : []),
    ...(owner === null
      ? []
      : [
          finding('AnotherOwner', DAEMON_SET, owner.watches ? KINDNET_PHASES : [], {
            message: `${refText(DAEMON_SET)} is kept by something else (${owner.text}), which may undo the change`,
            remedy: `Set ${SUBNET_ENV} in its source to the networks of both families, comma-separated.`,
          }),
        ]),
  ];
}

function podCIDRs(own: KindnetFacts): readonly string[] {
  const subnet = own.known ? (own.value?.subnet ?? null) : null;
  if (subnet?.is !== 'Value') return [];
  return subnet.value.split(',').flatMap((text) => {
    const cidr = parseCidr(text.trim());
    return cidr.ok ? [cidr.value.text] : [];
  });
}

function components(own: KindnetFacts): readonly ComponentFacts[] {
  if (!own.known || own.value === null) return [];
  const { subnet, image } = own.value;
  return [
    {
      component: 'kindnet',
      where: refText(DAEMON_SET),
      source: 'env',
      settings: { image, ...(subnet?.is === 'Value' ? { [SUBNET_ENV]: subnet.value } : {}) },
    },
  ];
}
