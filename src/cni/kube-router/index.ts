import type { ComponentFacts } from '../../model/facts.ts';
import { refText } from '../../model/object.ts';
import { replacePods } from '../../model/plugin.ts';
import { everyWay } from '../../model/support.ts';
import type { CNI } from '../contract.ts';
import { signOf } from '../../model/workload.ts';
import { flag, IPV6_FLAG, SERVICES_FLAG, serviceRanges } from './args.ts';
import { check } from './checks.ts';
import { DAEMON_SET, type KubeRouterFacts } from './facts.ts';
import { observe } from './observe.ts';
import { nodeProofs } from './proofs.ts';
import { records, steps } from './steps.ts';

/** kube-router as the network of pods, by one of its manifests or by k0s. */
export const kubeRouter: CNI<KubeRouterFacts> = {
  name: 'KubeRouter',
  support: {
    page: 'kube-router',
    ways: {
      ...everyWay({
        is: 'Converted',
        on: 'RecordedFacts',
        test: 'test/e2e/control-plane/kube-router.test.ts',
        note: 'a real control plane, kube-router played',
      }),
      IPv6ToDual: { is: 'Refused', reason: 'OptionNotCarriedOut' },
      RollBack: { is: 'Converted', on: 'RecordedFacts', test: 'test/unit/cni/kube-router.test.ts' },
    },
  },
  permissions: [
    {
      why: 'tell kube-router to do both families',
      namespace: 'kube-system',
      apiGroups: ['apps'],
      resources: ['daemonsets'],
      resourceNames: [DAEMON_SET.name],
      verbs: ['get', 'patch'],
    },
    replacePods('kube-router', 'kube-system'),
  ],
  workloads: [{ ref: DAEMON_SET, args: [IPV6_FLAG, SERVICES_FLAG].map((name) => `--${name}`) }],
  usesNodeIPAM: true,
  detect: (basics) => signOf(basics, DAEMON_SET),
  observe,
  check,
  steps,
  components,
  records: (_facts, own) => records(own),
  nodeProofs,
  // It takes them from the Nodes and knows no network as a whole.
  podCIDRs: () => [],
};

function components(own: KubeRouterFacts): readonly ComponentFacts[] {
  if (!own.known || own.value === null) return [];
  const { args, image } = own.value;
  const ranges = serviceRanges(args).join(',');
  return [
    {
      component: 'kube-router',
      where: refText(DAEMON_SET),
      source: 'args',
      settings: {
        image,
        'enable-ipv4': flag(args, 'enable-ipv4'),
        'enable-ipv6': flag(args, 'enable-ipv6'),
        ...(ranges === '' ? {} : { 'service-cluster-ip-range': ranges }),
      },
    },
  ];
}
