import { ok } from '../../result.ts';
import type { Generator, NewCluster } from '../contract.ts';
import { asked } from '../flags.ts';
import { isDual, USUAL_NETWORKS } from '../networks.ts';
import { autodetectionOf, type Pool, poolProblems, poolsOf } from '../pool.ts';
import { note, type Part, type Tree, yamlText } from '../yaml.ts';

/** The custom resources of the tigera operator. */
export const tigera: Generator = {
  name: 'tigera',
  summary: 'Installation and APIServer for the tigera operator, which installs Calico.',
  flags: [],
  defaults: () => USUAL_NETWORKS,
  generate(cluster) {
    const pools = poolsOf(cluster);
    const problems = poolProblems(pools);
    if (problems.length > 0) return asked(...problems);
    const detection = detectionOf(autodetectionOf(cluster));
    if (detection === null)
      return asked(
        'spec.calico.autodetectionMethod: the tigera operator knows no such method: write kubernetes-internal-ip',
      );
    return ok({
      files: [
        { name: 'installation.yaml', text: yamlText([installation(cluster, pools, detection), apiServer(cluster)]) },
      ],
      notes: [
        'First install the tigera operator (tigera-operator.yaml of its release, 1.34 or newer), then: kubectl create -f installation.yaml',
      ],
    });
  },
};

function installation(cluster: NewCluster, pools: readonly Pool[], detection: Tree): Part {
  const bgp = pools.some(({ encapsulation }) => encapsulation === 'None' || encapsulation.startsWith('IPIP'));
  return {
    about:
      'What the tigera operator makes Calico of. Whatever it makes it keeps so: change this, never its DaemonSets.',
    value: {
      apiVersion: 'operator.tigera.io/v1',
      kind: 'Installation',
      metadata: { name: 'default' },
      spec: {
        calicoNetwork: {
          bgp: note(
            bgp ? 'Enabled' : 'Disabled',
            bgp ? 'Without encapsulation the routes of pods go by BGP.' : 'VXLAN needs no BGP.',
          ),
          ipPools: note(
            pools.map((pool) => poolOf(pool)),
            isDual(cluster) ? 'One of each family: pods get an address of both.' : 'Pods get addresses of this family.',
          ),
          nodeAddressAutodetectionV4: cluster.families.includes('IPv4') ? BY_NODE : undefined,
          nodeAddressAutodetectionV6: cluster.families.includes('IPv6')
            ? note(detection, 'See that each Node has an IPv6 InternalIP first: calico-node does not start without.')
            : undefined,
        },
      },
    },
  };
}

const poolOf = ({ family, cidr, blockSize, encapsulation, natOutgoing, nodeSelector }: Pool): Tree => ({
  name: `default-${family.toLowerCase()}-ippool`,
  cidr,
  blockSize,
  encapsulation: encapsulation === 'Auto' ? 'VXLANCrossSubnet' : encapsulation,
  natOutgoing: natOutgoing ? 'Enabled' : 'Disabled',
  nodeSelector,
});

/** The address of the Node object. */
const BY_NODE: Tree = { kubernetes: 'NodeInternalIP' };

/** A method in the words of calico-node, as the Installation says it; null: it cannot. */
function detectionOf(method: string): Tree | null {
  const [kind = '', value = ''] = method.split(/=(.*)/su);
  switch (kind) {
    case 'kubernetes-internal-ip':
      return BY_NODE;
    case 'first-found':
      return { firstFound: true };
    case 'interface':
      return { interface: value };
    case 'skip-interface':
      return { skipInterface: value };
    case 'can-reach':
      return { canReach: value };
    case 'cidr':
      return { cidrs: value.split(',') };
    default:
      return null;
  }
}

const apiServer = (cluster: NewCluster): Part => ({
  about: isDual(cluster)
    ? 'A second pool needs it: without it TigeraStatus ippools is Degraded.'
    : 'Serves projectcalico.org/v3, by which pools are changed later; a second pool needs it.',
  value: { apiVersion: 'operator.tigera.io/v1', kind: 'APIServer', metadata: { name: 'default' }, spec: {} },
});
