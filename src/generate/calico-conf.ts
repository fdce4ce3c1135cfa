import type { JsonObject } from '../model/object.ts';

/**
 * The CNI configuration as Calico's manifests hold it, with other `ipam`. The `install-cni` container fills in what stands between underscores,
 * the MTU as a bare number: so it is no JSON before.
 */
export function cniNetworkConfig(ipam: JsonObject): string {
  const config = {
    name: 'k8s-pod-network',
    cniVersion: '1.0.0',
    plugins: [
      {
        type: 'calico',
        log_level: 'info',
        log_file_path: '/var/log/calico/cni/cni.log',
        datastore_type: 'kubernetes',
        nodename: '__KUBERNETES_NODE_NAME__',
        mtu: '__CNI_MTU__',
        ipam,
        policy: { type: 'k8s' },
        kubernetes: { kubeconfig: '__KUBECONFIG_FILEPATH__' },
      },
      { type: 'portmap', snat: true, capabilities: { portMappings: true } },
    ],
  };
  return JSON.stringify(config, null, 2).replace('"__CNI_MTU__"', '__CNI_MTU__');
}
