import type { PodOwner, RestartFacts } from '../../src/model/pod-owner.ts';
import { before } from './facts.ts';

/** A healthy Deployment in namespace shop whose two pods have IPv4 alone. */
export const podOwner = (
  name: string,
  change: Partial<PodOwner> = {},
  restart: Partial<RestartFacts> = {},
): PodOwner => ({
  kind: 'Deployment',
  namespace: 'shop',
  name,
  pods: 2,
  without: { IPv4: 0, IPv6: 2 },
  restart: {
    resourceVersion: '7',
    label: null,
    mark: null,
    keeper: null,
    desired: 2,
    rolledOut: true,
    obstacle: null,
    allAtOnce: false,
    budget: null,
    notReady: null,
    youngestPod: before(86_400),
    ...restart,
  },
  ...change,
});
