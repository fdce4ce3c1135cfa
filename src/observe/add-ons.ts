import { parse } from 'yaml';
import { MASQUERADE_AGENT, type MasqueradeAgentFacts } from '../model/egress.ts';
import type { Basics } from '../model/facts.ts';
import { KUBE_DNS, type KubeDNSFacts } from '../model/kube-dns.ts';
import { asArray, asString, asStrings, at, type ObjectRef } from '../model/object.ts';
import { ifThere, known, unknown, type Known, type Reader } from '../model/reader.ts';

/** What few clusters have, and is read only where it is there. Known null: it is not. */
export interface AddOns {
  readonly masqueradeAgent: Known<MasqueradeAgentFacts | null>;
  readonly kubeDNS: Known<KubeDNSFacts | null>;
}

export async function readAddOns(reader: Reader, { objects }: Basics): Promise<AddOns> {
  const [masqueradeAgent, kubeDNS] = await Promise.all([
    objects.DaemonSet.includes(keyOf(MASQUERADE_AGENT)) ? readMasqueradeAgent(reader) : known(null),
    objects.Deployment.includes(keyOf(KUBE_DNS)) ? readKubeDNS(reader) : known(null),
  ]);
  return { masqueradeAgent, kubeDNS };
}

const keyOf = ({ namespace = '', name }: ObjectRef): string => `${namespace}/${name}`;

const wordsOf = (container: unknown): readonly string[] =>
  [...asArray(at(container, 'command')), ...asArray(at(container, 'args'))].flatMap((word) => asString(word) ?? []);

async function readMasqueradeAgent(reader: Reader): Promise<Known<MasqueradeAgentFacts | null>> {
  const [agent, config] = await Promise.all([
    reader.get(MASQUERADE_AGENT),
    reader.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: MASQUERADE_AGENT.name }),
  ]);
  if (agent.is === 'Missing') return known(null);
  if (agent.is === 'Unreadable') return unknown(agent.why);
  if (config.is === 'Unreadable') return unknown(config.why);

  const words = asArray(at(agent.value, 'spec', 'template', 'spec', 'containers')).flatMap(wordsOf);
  const ipv6 = words.findLast((word) => /^--?enable-ipv6(=|$)/u.test(word));
  // Without a ConfigMap it goes by its defaults, among which there is no IPv6 network.
  const text = config.is === 'Found' ? asString(at(config.value, 'data', 'config')) : undefined;
  const cidrs = networksOf(text ?? '');
  if (cidrs === null) return unknown('ConfigMap kube-system/ip-masq-agent: its key config is not YAML');
  return known({ ipv6: ipv6 !== undefined && !/=(false|f|0)$/iu.test(ipv6), nonMasqueradeCIDRs: cidrs });
}

function networksOf(text: string): readonly string[] | null {
  try {
    return asStrings(at(parse(text) as unknown, 'nonMasqueradeCIDRs'));
  } catch {
    return null;
  }
}

async function readKubeDNS(reader: Reader): Promise<Known<KubeDNSFacts | null>> {
  return ifThere(await reader.get(KUBE_DNS), (object) =>
    Object.fromEntries(
      asArray(at(object, 'spec', 'template', 'spec', 'containers')).map((container) => [
        asString(at(container, 'name')) ?? '',
        { image: asString(at(container, 'image')) ?? '', words: wordsOf(container) },
      ]),
    ),
  );
}
