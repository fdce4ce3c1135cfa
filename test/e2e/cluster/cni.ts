import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../src/model/object.ts';
import { FLANNEL_OBJECTS } from '../../support/node-ipam-manifests.ts';
import { manifestText } from '../../support/real-manifests.ts';
import type { RealCluster } from './cluster.ts';
import { IMAGES } from './images.ts';
import { familyOf, type Settings } from './options.ts';

const MANIFESTS = join(import.meta.dirname, 'manifests');

/** Applies the CNI that the cluster was asked to have. It does not wait: nodes may still be joining. */
export async function installCni(cluster: RealCluster): Promise<void> {
  const manifest = manifestOf(cluster.settings);
  if (manifest !== undefined) await cluster.kubectl(['apply', '--server-side', '-f', '-'], manifest);
}

function manifestOf(settings: Settings): string | undefined {
  switch (settings.cni) {
    case 'none':
      return undefined;
    case 'bridge':
      return readFileSync(join(MANIFESTS, 'bridge-cni.yaml'), 'utf8').replaceAll('PODTOOL', IMAGES.podtool);
    case 'flannel':
      return flannel(settings);
    case 'calico':
      return calico();
  }
}

/** flannel's network must be the cluster's own: whoever installs it edits this ConfigMap. */
function flannel(settings: Settings): string {
  const subnets = settings.podSubnet.split(',');
  const v4 = subnets.find((subnet) => familyOf(subnet) === 'IPv4');
  const v6 = subnets.find((subnet) => familyOf(subnet) === 'IPv6');
  const network = {
    EnableIPv4: v4 !== undefined,
    ...(v4 === undefined ? {} : { Network: v4 }),
    ...(v6 === undefined ? {} : { EnableIPv6: true, IPv6Network: v6 }),
    EnableNFTables: false,
    Backend: { Type: 'vxlan' },
  };
  const items = (FLANNEL_OBJECTS as readonly KubeObject[]).map((object) =>
    object.kind === 'ConfigMap'
      ? { ...object, data: { ...(object['data'] as object), 'net-conf.json': `${JSON.stringify(network)}\n` } }
      : object,
  );
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

/** The released manifest. Its images come from E2E_CALICO_IMAGES. */
function calico(): string {
  if (process.env['E2E_CALICO_IMAGES'] === undefined)
    throw new Error('no Calico images: set E2E_CALICO_IMAGES to an OCI layout or archive that has them');
  return manifestText('calico-v3.31.7/calico.yaml');
}
