import type { StaticPod } from '../../model/host.ts';
import type { K0sSettings } from '../../model/k0s.ts';
import { familyOf } from '../../model/node-address.ts';
import { agreed, type Mention, mention, networksOf } from '../../model/networks.ts';
import { type Known, known, unknown } from '../../model/reader.ts';
import type { Family, PerFamily } from '../../net/family.ts';
import type { Controller, K0sFacts } from './facts.ts';

/** None where they cannot be told. */
export const controllersOf = (own: K0sFacts): readonly Controller[] =>
  own.controllers.known ? own.controllers.value : [];

/** The settings in the API; null: the configuration is static, or cannot be read. */
export const clusterSettings = (own: K0sFacts): K0sSettings | null =>
  own.clusterConfig.known && own.clusterConfig.value !== null ? own.clusterConfig.value.settings : null;

/** A flag of a component that runs on a controller, as its process has it. */
export const flagOf = (controller: Controller, component: StaticPod, flag: string): string | undefined =>
  controller.report?.running[component]?.args[flag];

const flagMentions = (own: K0sFacts, component: StaticPod, flag: string): readonly Mention[] =>
  controllersOf(own).flatMap((controller) =>
    mention(`${component} --${flag} on ${controller.name}`, flagOf(controller, component, flag)),
  );

/** Where what runs says which Service networks there are, primary first. */
export const serviceMentions = (own: K0sFacts): readonly Mention[] => [
  ...flagMentions(own, 'kube-apiserver', 'service-cluster-ip-range'),
  ...mention('ServiceCIDR kubernetes', own.serviceCIDR.known ? own.serviceCIDR.value?.join(',') : undefined),
];

export function network(own: K0sFacts): {
  readonly pods: Known<readonly string[]>;
  readonly services: Known<readonly string[]>;
  readonly nodeMask: PerFamily<number>;
} {
  return { pods: podNetworks(own), services: serviceNetworks(own), nodeMask: nodeMask(own) };
}

function serviceNetworks(own: K0sFacts): Known<readonly string[]> {
  const said = agreed([
    ...serviceMentions(own),
    // A file tells only where no agent sees the process that it was made for.
    ...(serviceMentions(own).length > 0 ? [] : fileMentions(own, serviceText)),
  ]);
  if (!said.known || said.value.length > 0) return said;
  return unknown(
    'nothing shows which Service networks the API servers have; write them in spec.clusterNetwork.services',
  );
}

/**
 * Pod networks by family, IPv4 first: their order in flags is k0s' own and no sign of which is primary. What runs comes before what is written.
 */
function podNetworks(own: K0sFacts): Known<readonly string[]> {
  const cluster = clusterSettings(own);
  const sources = [
    flagMentions(own, 'kube-controller-manager', 'cluster-cidr'),
    cluster === null ? [] : mention('ClusterConfig kube-system/k0s', podText(cluster)),
    mention('clusterCIDR in ConfigMap kube-system/kube-proxy', proxyCIDR(own)),
    fileMentions(own, podText),
  ];
  return byFamily(sources.find((mentions) => mentions.length > 0) ?? []);
}

function byFamily(mentions: readonly Mention[]): Known<readonly string[]> {
  const found = new Map<Family, { readonly network: string; readonly where: string }>();
  for (const { where, text } of mentions) {
    const networks = networksOf(text);
    if (networks === null) return unknown(`${where} is "${text}", which cannot be read`);
    for (const cidr of networks) {
      const family = familyOf(cidr.split('/')[0] ?? '') ?? 'IPv4';
      const before = found.get(family);
      if (before !== undefined && before.network !== cidr) {
        return unknown(`${where} has ${cidr}, but ${before.where} has ${before.network}`);
      }
      found.set(family, { network: cidr, where });
    }
  }
  if (found.size === 0) return unknown('no component says which pod networks there are');
  return known((['IPv4', 'IPv6'] as const).flatMap((family) => found.get(family)?.network ?? []));
}

const proxyCIDR = (own: K0sFacts): string | undefined =>
  own.proxyConfig.known ? own.proxyConfig.value?.clusterCIDR : undefined;

const fileMentions = (own: K0sFacts, read: (settings: K0sSettings) => string | undefined): readonly Mention[] =>
  controllersOf(own).flatMap(({ name, report }) =>
    report === null || report.problem !== '' ? [] : mention(`${report.file} on ${name}`, read(report.settings)),
  );

const isDual = (settings: K0sSettings): boolean => settings['spec.network.dualStack.enabled'] === 'true';

function podText(settings: K0sSettings): string | undefined {
  const own = settings['spec.network.podCIDR'] ?? '10.244.0.0/16';
  return isDual(settings) ? `${own},${settings['spec.network.dualStack.IPv6podCIDR'] ?? ''}` : own;
}

function serviceText(settings: K0sSettings): string | undefined {
  const own = settings['spec.network.serviceCIDR'] ?? '10.96.0.0/12';
  return isDual(settings) ? `${own},${settings['spec.network.dualStack.IPv6serviceCIDR'] ?? ''}` : own;
}

/** Masks that are set; what is not set is k0s' default, see `defaultNodeMask`. */
function nodeMask(own: K0sFacts): PerFamily<number> {
  const settings = clusterSettings(own) ?? controllersOf(own).find(({ report }) => report !== null)?.report?.settings;
  const read = (flag: string): number | undefined => {
    const live = controllersOf(own)
      .map((controller) => flagOf(controller, 'kube-controller-manager', flag))
      .find((value) => value !== undefined);
    const text = live ?? settings?.[`spec.controllerManager.extraArgs.${flag}`];
    return text !== undefined && /^[1-9][0-9]*$/u.test(text) ? Number(text) : undefined;
  };
  const [IPv4, IPv6] = [read('node-cidr-mask-size-ipv4'), read('node-cidr-mask-size-ipv6')];
  return { ...(IPv4 === undefined ? {} : { IPv4 }), ...(IPv6 === undefined ? {} : { IPv6 }) };
}
