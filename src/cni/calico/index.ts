import { poolBlockSizeRule } from '../../api/pool-rule.ts';
import type { ComponentFacts } from '../../model/facts.ts';
import type { ClusterFacts } from '../../model/facts.ts';
import { refText } from '../../model/object.ts';
import type { Step } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import type { CNI } from '../contract.ts';
import { signOf } from '../../model/workload.ts';
import { agentSteps, configStep } from './agents.ts';
import { check } from './checks.ts';
import { CONFIG_HASH_ANNOTATION, CONFIG_MAP, DAEMON_SET, ENV_NAMES, type CalicoFacts } from './facts.ts';
import { makeGoal, records } from './goal.ts';
import { assigns, readNetworkConfig, type NetworkConfig } from './network-config.ts';
import { observe } from './observe.ts';
import { calicoOptions, OPTIONS_KEY } from './options.ts';
import { permissions } from './permissions.ts';
import { backPoolSteps, forwardPoolStep } from './pools.ts';
import { nodeProofs } from './proofs.ts';
import { support } from './support.ts';

/** Calico installed by manifest (BGP, VXLAN, with or without Typha), managed through its ConfigMap, DaemonSet and pools. */
export const calico: CNI<CalicoFacts> = {
  name: 'Calico',
  support,
  options: { key: OPTIONS_KEY, schema: calicoOptions },
  optionRules: [poolBlockSizeRule(OPTIONS_KEY)],
  permissions,
  workloads: [{ ref: DAEMON_SET, annotation: CONFIG_HASH_ANNOTATION, env: ENV_NAMES, strategy: true }],
  usesNodeIPAM: false,
  detect: (basics) => signOf(basics, DAEMON_SET),
  observe,
  check,
  steps,
  components,
  records: (_facts, own) => records(own),
  nodeProofs,
  podCIDRs: (own) =>
    own.pools.known ? own.pools.value.pools.filter((pool) => !pool.disabled).map((pool) => pool.cidr) : [],
};

function steps(wanted: Wanted, facts: ClusterFacts, own: CalicoFacts): readonly Step[] {
  const { config, agent } = own;
  // What is not there or not readable has been told as a Finding that keeps all of these phases closed.
  if (!config.known || !agent.known || config.value === null || agent.value === null) return [];

  const goal = makeGoal(wanted, facts, config.value, agent.value);
  if (goal === null) return [];
  const first = configStep(wanted, config.value, goal);
  // A configuration that cannot be edited: the Finding about it keeps the rest from being done, so nothing of it is promised.
  if (!goal.configText.ok) return [first];
  const rest = [first, ...agentSteps(wanted, facts, config.value, agent.value, goal)];
  if (wanted.direction === 'Back') return [...rest, ...backPoolSteps(wanted, facts, own, goal)];
  const cidr = wanted.pods[goal.family];
  return cidr === undefined ? rest : [forwardPoolStep(wanted, own, config.value, goal.family, cidr), ...rest];
}

/** IPv4 is worth a word only where it is off. */
const assignments = (config: NetworkConfig): Readonly<Record<string, string>> => ({
  ...(assigns(config, 'IPv4') ? {} : { assign_ipv4: 'false' }),
  assign_ipv6: String(assigns(config, 'IPv6')),
});

function components({ config, agent, pools }: CalicoFacts): readonly ComponentFacts[] {
  const text = config.known ? config.value?.text : null;
  const network = typeof text === 'string' ? readNetworkConfig(text) : null;
  return [
    ...(config.known && config.value !== null
      ? [
          {
            component: 'calico-config',
            where: refText(CONFIG_MAP),
            source: 'cni_network_config',
            settings: {
              backend: config.value.backend,
              ...(network?.ok === true ? assignments(network.value) : {}),
            },
          },
        ]
      : []),
    ...(agent.known && agent.value !== null
      ? [
          {
            component: 'calico-node',
            where: refText(DAEMON_SET),
            source: 'env',
            settings: Object.fromEntries(
              ENV_NAMES.flatMap((name) => {
                const entry = agent.known ? agent.value?.env[name] : undefined;
                return entry?.is === 'Value' ? [[name, entry.value]] : [];
              }),
            ),
          },
        ]
      : []),
    ...(pools.known
      ? pools.value.pools.map((pool) => ({
          component: 'IPPool',
          where: `IPPool ${pool.name}`,
          source: pools.value.apiVersion,
          settings: {
            cidr: pool.cidr,
            disabled: String(pool.disabled),
            ipipMode: pool.ipipMode,
            vxlanMode: pool.vxlanMode,
          },
        }))
      : []),
  ];
}
