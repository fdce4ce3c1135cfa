import type { ObjectRef } from './object.ts';

/** The DNS of clusters from before CoreDNS; some providers still install it. */
export const KUBE_DNS: ObjectRef = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace: 'kube-system',
  name: 'kube-dns',
};

/** Its containers by name, of which `kubedns`, `dnsmasq` and `sidecar` are known. */
export type KubeDNSFacts = Readonly<Record<string, KubeDNSContainer>>;

export interface KubeDNSContainer {
  readonly image: string;
  /** Command and arguments. */
  readonly words: readonly string[];
}
