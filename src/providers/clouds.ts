/** What is known of how a cloud's nodes come to their IPv6 address in the Node object. */
export interface Cloud {
  readonly id: CloudID;
  readonly name: string;
  /** Scheme of `Node.spec.providerID`. */
  readonly schemes: readonly string[];
  /** Labels that only its Nodes carry; for Nodes without a providerID. */
  readonly labels: readonly string[];
  /** Whether its cloud controller manager writes IPv6 addresses into Nodes; `OnSetting`: not unless told to. */
  readonly publishesIPv6: 'ByDefault' | 'OnSetting' | 'NotKnown';
  /** How that is switched on. Words in capitals are for the user to fill in. */
  readonly publish: Advice | null;
  /** How a host gets an IPv6 address from this cloud. */
  readonly give: Advice | null;
}

export interface Advice {
  readonly says: string;
  readonly command: string | null;
  readonly where: 'Node' | 'Cluster' | 'Cloud';
  /** Where this was read. */
  readonly source: string;
}

export type CloudID = 'aws' | 'azure' | 'digitalocean' | 'equinixmetal' | 'gcp' | 'hetzner' | 'openstack' | 'vsphere';

export const CLOUDS: readonly Cloud[] = [
  {
    id: 'aws',
    name: 'AWS',
    schemes: ['aws'],
    labels: ['eks.amazonaws.com/nodegroup'],
    publishesIPv6: 'OnSetting',
    publish: {
      says: 'list both NodeIPFamilies in the cloud config of aws-cloud-controller-manager, whose default is IPv4 alone',
      command: "printf '[Global]\\nNodeIPFamilies=ipv4\\nNodeIPFamilies=ipv6\\n' # into its --cloud-config file",
      where: 'Cloud',
      source: 'https://github.com/kubernetes/cloud-provider-aws/pull/251',
    },
    give: {
      says: 'assign an IPv6 address to the network interface of the instance, in a subnet that has an IPv6 CIDR',
      command: 'aws ec2 assign-ipv6-addresses --network-interface-id INTERFACE --ipv6-address-count 1',
      where: 'Cloud',
      source: 'https://docs.aws.amazon.com/cli/latest/reference/ec2/assign-ipv6-addresses.html',
    },
  },
  {
    id: 'azure',
    name: 'Azure',
    schemes: ['azure'],
    labels: ['kubernetes.azure.com/cluster'],
    publishesIPv6: 'NotKnown',
    publish: null,
    give: {
      says: 'give the network interface of the machine a second IP configuration, of version IPv6',
      command:
        'az network nic ip-config create --resource-group GROUP --nic-name NIC --name ipv6 --private-ip-address-version IPv6 --vnet-name VNET --subnet SUBNET',
      where: 'Cloud',
      source:
        'https://github.com/MicrosoftDocs/azure-docs/blob/main/articles/virtual-network/ip-services/create-vm-dual-stack-ipv6-cli.md',
    },
  },
  {
    id: 'digitalocean',
    name: 'DigitalOcean',
    schemes: ['digitalocean'],
    labels: ['doks.digitalocean.com/node-id'],
    publishesIPv6: 'OnSetting',
    publish: {
      says: 'run a release of digitalocean-cloud-controller-manager that reads IPv6 addresses: older ones publish IPv4 alone',
      command:
        'kubectl -n kube-system get deployments -o wide # which release of digitalocean-cloud-controller-manager',
      where: 'Cluster',
      source: 'https://github.com/digitalocean/digitalocean-cloud-controller-manager/issues/555',
    },
    give: {
      says: 'switch IPv6 on for the droplet, and have its host use the address',
      command: 'doctl compute droplet-action enable-ipv6 DROPLET',
      where: 'Cloud',
      source: 'https://docs.digitalocean.com/reference/doctl/reference/compute/droplet-action/enable-ipv6',
    },
  },
  {
    id: 'equinixmetal',
    name: 'Equinix Metal',
    schemes: ['equinixmetal', 'packet'],
    labels: [],
    publishesIPv6: 'NotKnown',
    publish: null,
    give: null,
  },
  {
    id: 'gcp',
    name: 'Google Cloud',
    schemes: ['gce'],
    labels: ['cloud.google.com/gke-nodepool'],
    publishesIPv6: 'OnSetting',
    publish: {
      says: 'set the stack type of cloud-controller-manager to IPV4_IPV6: it publishes IPv6 addresses in no other',
      command: "printf '[global]\\nstack-type = IPV4_IPV6\\n' # into its --cloud-config file",
      where: 'Cloud',
      source: 'https://github.com/kubernetes/cloud-provider-gcp/pull/268',
    },
    give: {
      says: 'make the network interface of the machine dual-stack, in a subnet that is',
      command:
        'gcloud compute instances network-interfaces update INSTANCE --network-interface nic0 --stack-type IPV4_IPV6',
      where: 'Cloud',
      source: 'https://cloud.google.com/sdk/gcloud/reference/compute/instances/network-interfaces/update',
    },
  },
  {
    id: 'hetzner',
    name: 'Hetzner',
    schemes: ['hcloud', 'hrobot'],
    labels: ['instance.hetzner.cloud/provided-by'],
    publishesIPv6: 'OnSetting',
    publish: {
      says: 'set the address family of hcloud-cloud-controller-manager to dualstack: its default is IPv4 alone',
      command:
        'kubectl -n kube-system set env deployment/hcloud-cloud-controller-manager HCLOUD_INSTANCES_ADDRESS_FAMILY=dualstack',
      where: 'Cluster',
      source: 'https://github.com/hetznercloud/hcloud-cloud-controller-manager/pull/204',
    },
    give: {
      says: 'assign a primary IPv6 to the server; it must be off while that is done',
      command: 'hcloud primary-ip assign --server SERVER PRIMARY-IP',
      where: 'Cloud',
      source: 'https://docs.ansible.com/ansible/10/collections/hetzner/hcloud/primary_ip_module.html',
    },
  },
  {
    id: 'openstack',
    name: 'OpenStack',
    schemes: ['openstack'],
    labels: [],
    publishesIPv6: 'ByDefault',
    publish: {
      says: 'take ipv6-support-disabled out of the [Networking] part of the cloud config of openstack-cloud-controller-manager',
      command: "sed -i '/^ipv6-support-disabled/d' CLOUD-CONFIG",
      where: 'Cloud',
      source:
        'https://github.com/kubernetes/cloud-provider-openstack/blob/master/docs/openstack-cloud-controller-manager/using-openstack-cloud-controller-manager.md',
    },
    give: {
      says: 'give the port of the server an address from an IPv6 subnet',
      command: 'openstack port set --fixed-ip subnet=IPV6-SUBNET PORT',
      where: 'Cloud',
      source: 'https://docs.openstack.org/python-openstackclient/latest/cli/command-objects/port.html',
    },
  },
  {
    id: 'vsphere',
    name: 'vSphere',
    schemes: ['vsphere'],
    labels: [],
    publishesIPv6: 'OnSetting',
    publish: {
      says: 'switch the dual-stack gate of vsphere-cloud-controller-manager on, and name both families in its vsphere.conf (ipFamily)',
      command: 'kubectl -n kube-system set env daemonset/vsphere-cloud-controller-manager ENABLE_ALPHA_DUAL_STACK=true',
      where: 'Cluster',
      source:
        'https://github.com/kubernetes/cloud-provider-vsphere/blob/master/docs/book/tutorials/enable-dual-stack.md',
    },
    give: null,
  },
];
