import type { Step, StepState } from '../../model/step.ts';
import { FAMILIES, otherFamily } from '../../net/family.ts';
import { cidrList, type Wanted } from '../../model/wanted.ts';
import { err, ok, type Result } from '../../result.ts';
import {
  type ArgTarget,
  type ClusterConfig,
  type ConfiguredComponent,
  type ConfigTarget,
  editClusterConfig,
  readClusterConfig,
  sameButFamilies,
} from './cluster-config.ts';
import { DEFAULT_MASKS, runsNodeIPAM } from './controller-manager.ts';
import { KUBEADM_CONFIG, type KubeadmFacts } from './facts.ts';
import { instancesOf } from './instances.ts';
import { keepSpelling, sameRange } from './ranges.ts';
import { recordedClusterConfig } from './records.ts';

const MASK_FLAG = { IPv4: 'node-cidr-mask-size-ipv4', IPv6: 'node-cidr-mask-size-ipv6' } as const;
const LEGACY_MASK = 'node-cidr-mask-size';
/** Flags in extraArgs that are this step's. */
const FAMILY_FLAGS = ['cluster-cidr', 'service-cluster-ip-range', LEGACY_MASK, MASK_FLAG.IPv4, MASK_FLAG.IPv6];

/** An upgrade writes the manifests anew from this text, so it must say what the components run with. */
export function clusterConfigSteps(wanted: Wanted, own: KubeadmFacts): readonly Step[] {
  if (!own.clusterConfig.known) return [configStep(null, null, { is: 'Unknown', why: own.clusterConfig.why })];
  const config = own.clusterConfig.value;
  if (config === null) return [];
  const after = wantedClusterConfig(wanted, own, config.text);
  if (!after.ok) return [configStep(config.text, null, { is: 'Unknown', why: after.error })];
  const isSame = after.value === config.text;
  return [
    {
      ...configStep(
        config.text,
        after.value,
        isSame
          ? { is: 'Satisfied', evidence: 'ClusterConfiguration says what the components run with' }
          : { is: 'Pending' },
      ),
      write: {
        is: 'Apply',
        // With its resourceVersion: a change that somebody else makes meanwhile is seen, not overwritten.
        body: {
          metadata: { name: KUBEADM_CONFIG.name, resourceVersion: config.resourceVersion },
          data: { ClusterConfiguration: after.value },
        },
        force: true,
      },
    },
  ];
}

const configStep = (before: string | null, after: string | null, state: StepState): Step & { kind: 'ApplyObject' } => ({
  kind: 'ApplyObject',
  id: 'kubeadm-config',
  phase: 'ClusterConfig',
  group: 'kubeadm-config',
  target: 'ConfigMap kube-system/kubeadm-config',
  why: 'kubeadm upgrade writes the control plane anew from it and would undo the change.',
  diff: before === after ? [] : [{ path: 'data.ClusterConfiguration', before, after }],
  state,
  disrupts: null,
  timeoutSeconds: 60,
  ref: KUBEADM_CONFIG,
  write: { is: 'Apply', body: {}, force: true },
});

/** The text that the ConfigMap shall hold. */
export function wantedClusterConfig(wanted: Wanted, own: KubeadmFacts, live: string): Result<string, string> {
  const config = readClusterConfig(live);
  if (config === null) return err('data.ClusterConfiguration is not a ClusterConfiguration');
  const first = wanted.direction === 'Back' ? firstText(wanted, live) : undefined;
  return first === undefined ? editClusterConfig(live, targetOf(wanted, own, live)) : ok(first);
}

/** The recorded text as it was, if nobody changed anything else since (an upgrade does) and it is of the wanted families. */
function firstText(wanted: Wanted, live: string): string | undefined {
  const text = recordedClusterConfig(wanted.restore);
  const config = text === undefined ? null : readClusterConfig(text);
  if (text === undefined || config === null || !sameButFamilies(text, live, FAMILY_FLAGS)) return undefined;
  const ofWantedFamilies =
    (config.podSubnet === undefined || sameRange(config.podSubnet, cidrList(wanted.families, wanted.pods).join(','))) &&
    (config.serviceSubnet === undefined ||
      sameRange(config.serviceSubnet, cidrList(wanted.families, wanted.services).join(',')));
  return ofWantedFamilies ? text : undefined;
}

function targetOf(wanted: Wanted, own: KubeadmFacts, live: string): ConfigTarget {
  const config = readClusterConfig(live);
  const pods = cidrList(wanted.families, wanted.pods);
  const services = cidrList(wanted.families, wanted.services);
  return {
    // Without a podSubnet kubeadm starts no Node IPAM; to write one would turn it on at the next upgrade.
    podSubnet: config?.podSubnet ? keepSpelling(config.podSubnet, pods) : undefined,
    serviceSubnet: keepSpelling(config?.serviceSubnet, services),
    args: [
      rangeTarget(config, 'apiServer', 'service-cluster-ip-range', services),
      rangeTarget(config, 'controllerManager', 'cluster-cidr', pods),
      rangeTarget(config, 'controllerManager', 'service-cluster-ip-range', services),
      ...maskTargets(wanted, own),
    ],
  };
}

/** An extra argument beats what kubeadm works out from the subnets, so one that is there must say the same. */
function rangeTarget(
  config: ClusterConfig | null,
  component: ConfiguredComponent,
  name: string,
  networks: readonly string[],
): ArgTarget {
  const live = config?.extraArgs[component].findLast((arg) => arg.name === name)?.value;
  return { component, name, is: 'Update', value: keepSpelling(live, networks) };
}

function maskTargets(wanted: Wanted, own: KubeadmFacts): readonly ArgTarget[] {
  const component = 'controllerManager';
  const [primary] = wanted.families;
  if (primary === undefined) return [];
  if (wanted.families.length === 1) return [{ component, name: MASK_FLAG[otherFamily(primary)], is: 'Remove' }];
  const usesMasks = instancesOf(own.instances, 'kube-controller-manager').some(runsNodeIPAM);
  return [
    { component, name: LEGACY_MASK, is: 'Rename', to: MASK_FLAG[primary] },
    ...FAMILIES.flatMap((family): readonly ArgTarget[] => {
      const mask = wanted.nodeMask[family];
      if (mask === undefined) return [];
      const isNeeded = usesMasks && mask !== DEFAULT_MASKS[family];
      return [{ component, name: MASK_FLAG[family], is: isNeeded ? 'Set' : 'Update', value: String(mask) }];
    }),
  ];
}
