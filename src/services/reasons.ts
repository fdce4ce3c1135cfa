/** Why a Service is not migrated, or not yet. */
export const SERVICE_REASONS = {
  KubernetesDefault: 'The API server keeps Service default/kubernetes itself, with one family.',
  ExternalName: 'It is a name in DNS and has neither addresses nor families.',
  Probe: 'It is a part of a proof by this program.',
  LeftOut: 'It is left out by its label `dualstack.dev/migrate=false`.',
  ClusterDNS: 'Cluster DNS is migrated in a step of its own.',
  ServerSingleStack: 'The API servers do not give out addresses of the second family yet.',
  ServedUnknown: 'Which families the API servers give out addresses of could not be read.',
  BackendsUnknown: 'Its pods or EndpointSlices could not be read.',
  PodsLackFamily: 'Too many of its pods have no address of the second family yet.',
  EndpointsLackFamily: 'It has no selector, and nobody has made EndpointSlices of the second family for it.',
  KeptByOther: 'Something else keeps it and would put its own values back.',
  PutBack: 'It was migrated, and somebody has put it back: that is told instead of fought.',
  LoadBalancerCannot: 'Its load balancer is known not to serve both families.',
  LoadBalancerNeeds: 'Its load balancer serves both families only with an annotation that it does not have.',
  LoadBalancerNotKnown: 'Whether its load balancer keeps the address that it has is not known.',
  LoadBalancerTakes: 'Its load balancer takes its address away unless an annotation changes by the same write.',
  Refused: 'The API server, or an admission policy or webhook behind it, does not take its change.',
  PrimaryLeaves: 'Its first family is the one that leaves, and the first family of a Service cannot change.',
  AskedByHand: 'It has the family that leaves, and somebody else than this program gave it.',
} as const;

export type ServiceReason = keyof typeof SERVICE_REASONS;
