import type { Basics, ComponentFacts } from '../../model/facts.ts';
import { refText } from '../../model/object.ts';
import type { Evidence } from '../../model/support.ts';
import type { CNI } from '../contract.ts';
import { check } from './checks.ts';
import {
  configMapRef,
  DAEMON_SET_NAME,
  daemonSetRef,
  NAMESPACES,
  ROLLOUT_ANNOTATION,
  type FlannelFacts,
} from './facts.ts';
import { records } from './goal.ts';
import { readNetConf } from '../../model/net-conf.ts';
import { namespacesOf, observe } from './observe.ts';
import { permissions } from './permissions.ts';
import { nodeProofs } from './proofs.ts';
import { steps } from './steps.ts';

const realFlanneld = (test: string): Evidence => ({
  is: 'Converted',
  on: 'RealComponent',
  test,
  note: 'backend `vxlan`',
});

/** Flannel installed by its manifest or Helm chart, with Kubernetes as its store. */
export const flannel: CNI<FlannelFacts> = {
  name: 'Flannel',
  namespaces: NAMESPACES,
  support: {
    page: 'flannel',
    ways: {
      IPv4ToDual: realFlanneld('test/e2e/kubelets/flannel.test.ts'),
      IPv6ToDual: realFlanneld('test/e2e/kubelets-more/conversion-ipv6.test.ts'),
      DualToSingle: realFlanneld('test/e2e/kubelets/flannel.test.ts'),
      RollBack: { is: 'Converted', on: 'RecordedFacts', test: 'test/unit/cni/flannel-conversion.test.ts' },
    },
  },
  permissions,
  workloads: NAMESPACES.map((namespace) => ({ ref: daemonSetRef(namespace), annotation: ROLLOUT_ANNOTATION })),
  usesNodeIPAM: true,
  detect,
  observe,
  check,
  steps,
  components,
  records: (_facts, own) => records(own),
  nodeProofs,
  podCIDRs: (own) => Object.values(netConfOf(own)?.networks ?? {}),
};

function detect(basics: Basics): string | null {
  const [namespace] = namespacesOf(basics);
  return namespace === undefined ? null : refText(daemonSetRef(namespace));
}

function netConfOf({ config }: FlannelFacts) {
  const read = config.known && config.value !== null ? readNetConf(config.value.text ?? '') : null;
  return read?.ok === true ? read.value : null;
}

function components(own: FlannelFacts): readonly ComponentFacts[] {
  const conf = netConfOf(own);
  const agent = own.agent.known ? own.agent.value : null;
  return [
    ...(conf === null
      ? []
      : [
          {
            component: 'kube-flannel-cfg',
            where: refText(configMapRef(own.namespace)),
            source: 'net-conf.json',
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
            component: DAEMON_SET_NAME,
            where: refText(daemonSetRef(own.namespace)),
            source: 'flags',
            settings: { image: agent.image, 'ip-masq': agent.flags['ip-masq']?.at(-1) ?? 'false' },
          },
        ]),
  ];
}
