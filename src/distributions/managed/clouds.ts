/** A cloud that runs the control plane itself: its components are seen by nobody, and only its own commands change them. */
export interface ManagedCloud {
  /** Its name in the API. */
  readonly name: 'EKS' | 'GKE' | 'AKS';
  /** As people write it. */
  readonly title: string;
  /** Version of the API server that only this cloud builds. */
  readonly version: RegExp | null;
  /** Labels that it gives to its Nodes: one Node with all labels of a set is enough. */
  readonly labels: readonly (readonly string[])[];
  readonly families: Changing;
}

/** Whether the families of a cluster that is there can be changed. */
export type Changing =
  | {
      readonly is: 'Fixed';
      /** Why not, as a sentence that goes on after `Amazon EKS`. */
      readonly why: string;
      readonly instead: string;
    }
  | {
      readonly is: 'ByCommand';
      /** To both families. Words in capitals are for the user to fill in. */
      readonly forward: string;
      /** Back to IPv4 alone; null: nobody has told whether that can be done. */
      readonly back: string | null;
      /** What must be so before. */
      readonly needs: string;
      /** Has nodes of a pool made anew that did not get the family by themselves. */
      readonly renewNodes: string;
      readonly disrupts: string;
    };

export const CLOUDS: readonly [eks: ManagedCloud, gke: ManagedCloud, aks: ManagedCloud] = [
  {
    name: 'EKS',
    title: 'Amazon EKS',
    // Of EKS Distro, which others build clusters from, versions go on otherwise: v1.31.2-eks-1-31-8.
    version: /-eks-[0-9a-f]{7}$/u,
    labels: [['eks.amazonaws.com/nodegroup'], ['eks.amazonaws.com/compute-type'], ['eks.amazonaws.com/nodeclass']],
    // docs.aws.amazon.com/eks/latest/userguide/cni-ipv6.html, and KubernetesNetworkConfigRequest.ipFamily in its API.
    families: {
      is: 'Fixed',
      why: 'gives Pods and Services one family each, chosen as ipFamily when the cluster is made and never changed after, and has no dual-stack Pods or Services',
      instead:
        'For IPv6 addresses make a new cluster of that one family (eksctl: kubernetesNetworkConfig.ipFamily: IPv6) and move the workloads; for both at once run a control plane of your own, for which kubectl dualstack generate writes the files.',
    },
  },
  {
    name: 'GKE',
    title: 'Google GKE',
    version: null,
    // Clusters of Google's outside of its cloud have versions like its own, and Nodes without these.
    labels: [['cloud.google.com/gke-nodepool', 'cloud.google.com/gke-os-distribution']],
    // gcloud's GetUpdateStackTypeMapper (googlecloudsdk/command_lib/container/flags.py), and ClusterUpdate.desired_stack_type of the Container API.
    families: {
      is: 'ByCommand',
      forward: 'gcloud container clusters update CLUSTER --location=LOCATION --stack-type=ipv4-ipv6',
      back: 'gcloud container clusters update CLUSTER --location=LOCATION --stack-type=ipv4',
      needs:
        'the subnet of the cluster must be dual-stack before (gcloud compute networks subnets update SUBNET --region=REGION --stack-type=IPV4_IPV6 --ipv6-access-type=INTERNAL or EXTERNAL)',
      renewNodes: 'gcloud container clusters upgrade CLUSTER --location=LOCATION --node-pool=POOL',
      disrupts: 'the control plane restarts and the nodes are made anew; their pods move',
    },
  },
  {
    name: 'AKS',
    title: 'Azure AKS',
    version: null,
    labels: [['kubernetes.azure.com/cluster', 'kubernetes.azure.com/mode']],
    // github.com/Azure/azure-cli/pull/30360; requirements: learn.microsoft.com/azure/aks/azure-cni-overlay.
    families: {
      is: 'ByCommand',
      forward:
        'az aks update --resource-group GROUP --name CLUSTER --ip-families ipv4,ipv6 --load-balancer-managed-outbound-ipv6-count 1',
      back: null,
      needs:
        'the cluster must use Azure CNI Overlay, with neither Azure nor Calico network policies and no NAT gateway, and its virtual network must have an IPv6 range',
      renewNodes: 'az aks nodepool upgrade --resource-group GROUP --cluster-name CLUSTER --name POOL --node-image-only',
      disrupts: 'the control plane restarts and the nodes are made anew; their pods move',
    },
  },
];
