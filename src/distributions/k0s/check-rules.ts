import type { Finding } from '../../model/finding.ts';
import type { K0sSettings } from '../../model/k0s.ts';
import { fromPhase } from '../../model/phase.ts';
import type { Wanted } from '../../model/wanted.ts';
import { parseCidr } from '../../net/cidr.ts';
import { CLUSTER_CONFIG, type K0sFacts } from './facts.ts';
import { clusterSettings, controllersOf } from './network.ts';

/** The rules by which k0s itself takes or refuses a configuration (`Network.Validate` in pkg/apis/k0s/v1beta1/network.go). */
export function checkRules(wanted: Wanted, own: K0sFacts): readonly Finding[] {
  const said = settingsOf(own);
  return [
    ...said.flatMap((place) => checkProvider(place)),
    ...checkDisagreement(said),
    ...checkServicePrefix(wanted),
    ...checkArguments(own),
  ].filter(isFirstOfItsText);
}

interface Place {
  readonly where: string;
  readonly object: Finding['object'];
  readonly settings: K0sSettings;
}

/** Where the network provider is decided: in the API with dynamic configuration, else in the file of each controller that can be seen. */
function settingsOf(own: K0sFacts): readonly Place[] {
  const cluster = clusterSettings(own);
  if (cluster !== null) return [{ where: 'ClusterConfig kube-system/k0s', object: CLUSTER_CONFIG, settings: cluster }];
  return controllersOf(own).flatMap(({ name, report }) =>
    report === null || report.problem !== ''
      ? []
      : [{ where: `${report.file} on ${name}`, object: null, settings: report.settings }],
  );
}

function checkProvider({ where, object, settings }: Place): readonly Finding[] {
  const provider = settings['spec.network.provider'] ?? 'kuberouter';
  // Without a mode k0s' Calico runs in vxlan (DefaultCalico in pkg/apis/k0s/v1beta1/calico.go).
  const mode = settings['spec.network.calico.mode'] ?? 'vxlan';
  if (provider === 'calico' && mode !== 'bird') {
    return [
      {
        reason: 'EncapsulationUnsupported',
        object,
        message: `${where} has spec.network.calico.mode: ${mode}, and k0s refuses dual-stack with its Calico in any mode but bird.`,
        remedy:
          'Change spec.network.calico.mode to bird first, in a change of its own: nodes must then reach each other by BGP (TCP 179), and traffic between pods stands still while the agents restart.',
        blocks: fromPhase('NodeIPs', 'Forward'),
      },
    ];
  }
  if (provider === 'custom') {
    return [
      {
        reason: 'Unmanaged',
        object,
        message: `${where} has spec.network.provider: custom: k0s switches its own components over, and leaves the network plug-in as it is.`,
        remedy: 'Give the network plug-in both families too, in the way of its own installation.',
        blocks: [],
      },
    ];
  }
  return [];
}

/** Static files are one for each controller, and k0s holds none against the other. */
function checkDisagreement(places: readonly Place[]): readonly Finding[] {
  const [first, ...others] = places;
  if (first === undefined) return [];
  return (['spec.network.provider', 'spec.network.podCIDR', 'spec.network.serviceCIDR'] as const).flatMap((path) => {
    const other = others.find(({ settings }) => settings[path] !== first.settings[path]);
    if (other === undefined) return [];
    return [
      {
        reason: 'InconsistentControlPlane' as const,
        object: null,
        message: `${path} is ${first.settings[path] ?? 'not set'} in ${first.where}, but ${other.settings[path] ?? 'not set'} in ${other.where}.`,
        remedy: 'Make the files of all controllers say the same, then restart those that were changed.',
        blocks: fromPhase('APIServer', 'Forward'),
      },
    ];
  });
}

function checkServicePrefix(wanted: Wanted): readonly Finding[] {
  const network = parseCidr(wanted.services.IPv6 ?? '');
  if (!network.ok || network.value.prefix >= 108) return [];
  return [
    {
      reason: 'PrefixNotAllowed',
      object: null,
      message: `The IPv6 Service network ${network.value.text} is wider than /108, which k0s refuses in spec.network.dualStack.IPv6serviceCIDR.`,
      remedy: 'Write an IPv6 network from /108 to /112 in spec.clusterNetwork.services.cidrBlocks.',
      blocks: fromPhase('NodeIPs', 'Forward'),
    },
  ];
}

/** With dynamic configuration these arguments of a file are read by nobody: people take that for a fault of k0s (issue 7927). */
function checkArguments(own: K0sFacts): readonly Finding[] {
  if (clusterSettings(own) === null) return [];
  return controllersOf(own).flatMap(({ name, report }): readonly Finding[] => {
    const path = Object.keys(report?.settings ?? {}).find((key) => key.startsWith('spec.controllerManager.extraArgs.'));
    if (report === null || path === undefined) return [];
    return [
      {
        reason: 'InconsistentControlPlane',
        object: CLUSTER_CONFIG,
        message: `${path} in ${report.file} on ${name} has no effect: with dynamic configuration k0s takes it from ClusterConfig kube-system/k0s.`,
        remedy: 'Keep such arguments in ClusterConfig (`k0s config edit`) and take them out of the file.',
        blocks: [],
      },
    ];
  });
}

const isFirstOfItsText = (finding: Finding, index: number, all: readonly Finding[]): boolean =>
  all.findIndex(({ reason, message }) => reason === finding.reason && message === finding.message) === index;
