import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { realManifest } from '../../cluster/calico.ts';
import type { RealCluster } from './cluster.ts';
import { IMAGES } from './images.ts';
import type { Settings } from './options.ts';

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
  const [v4, v6] = [subnets.find((subnet) => !subnet.includes(':')), subnets.find((subnet) => subnet.includes(':'))];
  const documents = parseAllDocuments(readFileSync(join(MANIFESTS, 'kube-flannel.yaml'), 'utf8'));
  for (const document of documents) {
    if (document.get('kind') !== 'ConfigMap') continue;
    const network = JSON.parse(String(document.getIn(['data', 'net-conf.json']))) as Record<string, unknown>;
    const chosen = {
      ...network,
      ...(v4 === undefined ? { EnableIPv4: false } : { Network: v4 }),
      ...(v6 === undefined ? {} : { EnableIPv6: true, IPv6Network: v6 }),
    };
    if (v4 === undefined) delete (chosen as Record<string, unknown>)['Network'];
    document.setIn(['data', 'net-conf.json'], `${JSON.stringify(chosen, undefined, 2)}\n`);
  }
  return documents.map((document) => stringify(document.toJS())).join('---\n');
}

/** The released manifest. Its images come from E2E_CALICO_IMAGES. */
function calico(): string {
  const file = realManifest('calico-v3.31.7/calico.yaml');
  if (file === undefined)
    throw new Error('no Calico manifest: set REAL_MANIFESTS to a folder that has calico-v3.31.7/calico.yaml');
  if (process.env['E2E_CALICO_IMAGES'] === undefined)
    throw new Error('no Calico images: set E2E_CALICO_IMAGES to an OCI layout or archive that has them');
  return readFileSync(file, 'utf8');
}
