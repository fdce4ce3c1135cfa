import type { ComponentFacts } from '../../model/facts.ts';
import { refText } from '../../model/object.ts';
import { everyWay } from '../../model/support.ts';
import { signOf } from '../../model/workload.ts';
import { parseCidr } from '../../net/cidr.ts';
import type { CNI } from '../contract.ts';
import { check } from './checks.ts';
import { CONFIG_MAP, DAEMON_SET, OPERATOR, ROLLOUT_ANNOTATION, type CiliumFacts } from './facts.ts';
import { observe } from './observe.ts';
import { permissions } from './permissions.ts';
import { nodeProofs } from './proofs.ts';
import { records } from './scene.ts';
import { listOf, modeOf } from './settings.ts';
import { steps } from './steps.ts';

/** Cilium in kube-system, whoever installed it. */
export const cilium: CNI<CiliumFacts> = {
  name: 'Cilium',
  support: {
    page: 'cilium',
    ways: {
      ...everyWay({
        is: 'Converted',
        on: 'RecordedFacts',
        test: 'test/e2e/control-plane/cilium.test.ts',
        note: 'a real control plane, Cilium played',
      }),
      IPv6ToDual: { is: 'Refused', reason: 'OptionNotCarriedOut' },
      RollBack: { is: 'Converted', on: 'RecordedFacts', test: 'test/unit/cni/cilium-conversion.test.ts' },
    },
  },
  permissions,
  workloads: [DAEMON_SET, OPERATOR].map((ref) => ({ ref, annotation: ROLLOUT_ANNOTATION })),
  usesNodeIPAM: ({ config }) => config.known && config.value !== null && modeOf(config.value) === 'kubernetes',
  detect: (basics) => signOf(basics, DAEMON_SET),
  observe,
  check,
  steps,
  components,
  records: (_facts, own) => records(own),
  nodeProofs,
  podCIDRs,
};

const dataOf = ({ config }: CiliumFacts): Readonly<Record<string, string>> =>
  config.known ? (config.value?.data ?? {}) : {};

/** Only of the families that are on, and only where Cilium hands them out itself. */
function podCIDRs(own: CiliumFacts): readonly string[] {
  const data = dataOf(own);
  if (data['ipam'] !== 'cluster-pool') return [];
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    if (data[`enable-${family}`] !== 'true') return [];
    return listOf(data[`cluster-pool-${family}-cidr`]).flatMap((text) => {
      const cidr = parseCidr(text);
      return cidr.ok ? [cidr.value.text] : [];
    });
  });
}

const SHOWN = [
  'ipam',
  'enable-ipv4',
  'enable-ipv6',
  'cluster-pool-ipv4-cidr',
  'cluster-pool-ipv6-cidr',
  'cluster-pool-ipv6-mask-size',
  'routing-mode',
];

function components(own: CiliumFacts): readonly ComponentFacts[] {
  const data = dataOf(own);
  const settings = Object.fromEntries(
    SHOWN.flatMap((key) => {
      const value = data[key];
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const agent = own.agent.known ? own.agent.value : null;
  return [
    ...(Object.keys(settings).length === 0
      ? []
      : [{ component: CONFIG_MAP.name, where: refText(CONFIG_MAP), source: 'data', settings }]),
    ...(agent === null
      ? []
      : [{ component: 'cilium', where: refText(DAEMON_SET), source: 'image', settings: { image: agent.image } }]),
  ];
}
