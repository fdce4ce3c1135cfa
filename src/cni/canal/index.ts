import type { ComponentFacts } from '../../model/facts.ts';
import { readNetConf } from '../../model/net-conf.ts';
import { refText } from '../../model/object.ts';
import { everyWay } from '../../model/support.ts';
import type { CNI } from '../contract.ts';
import { signOf } from '../../model/workload.ts';
import { check } from './checks.ts';
import { CONFIG_MAP, DAEMON_SET, ENV_NAMES, FLANNEL_KEY, ROLLOUT_ANNOTATION, type CanalFacts } from './facts.ts';
import { liveEnv, records } from './goal.ts';
import { observe } from './observe.ts';
import { permissions } from './permissions.ts';
import { nodeProofs } from './proofs.ts';
import { steps } from './steps.ts';

/** Canal by its manifest: Calico's policies over the network that flannel makes. */
export const canal: CNI<CanalFacts> = {
  name: 'Canal',
  support: {
    page: 'canal',
    ways: {
      ...everyWay({
        is: 'Converted',
        on: 'RecordedFacts',
        test: 'test/e2e/control-plane/canal.test.ts',
        note: 'a real control plane, Canal played',
      }),
      IPv6ToDual: { is: 'Refused', reason: 'OptionNotCarriedOut' },
      RollBack: { is: 'Converted', on: 'RecordedFacts', test: 'test/unit/cni/canal-conversion.test.ts' },
    },
  },
  permissions,
  workloads: [{ ref: DAEMON_SET, annotation: ROLLOUT_ANNOTATION, env: ENV_NAMES }],
  usesNodeIPAM: true,
  detect: (basics) => signOf(basics, DAEMON_SET),
  observe,
  check,
  steps,
  components,
  records: (_facts, own) => records(own),
  nodeProofs,
  podCIDRs: (own) => Object.values(netConfOf(own)?.networks ?? {}),
};

function netConfOf({ config }: CanalFacts) {
  const read = config.known && config.value !== null ? readNetConf(config.value.flannel ?? '') : null;
  return read?.ok === true ? read.value : null;
}

function components(own: CanalFacts): readonly ComponentFacts[] {
  const conf = netConfOf(own);
  const agent = own.agent.known ? own.agent.value : null;
  const felix = agent === null ? null : liveEnv(agent, 'FELIX_IPV6SUPPORT');
  return [
    ...(conf === null
      ? []
      : [
          {
            component: CONFIG_MAP.name,
            where: refText(CONFIG_MAP),
            source: FLANNEL_KEY,
            settings: {
              backend: conf.backend,
              ...(conf.networks.IPv4 === undefined ? {} : { Network: conf.networks.IPv4 }),
              ...(conf.networks.IPv6 === undefined ? {} : { IPv6Network: conf.networks.IPv6 }),
            },
          },
        ]),
    ...(agent === null
      ? []
      : [
          {
            component: 'canal',
            where: refText(DAEMON_SET),
            source: 'env',
            settings: {
              felix: agent.images.felix,
              flannel: agent.images.flannel,
              ...(felix === null ? {} : { FELIX_IPV6SUPPORT: felix }),
            },
          },
        ]),
  ];
}
