import * as z from 'zod';
import { FAMILY } from './fields.ts';

/** Longest CIDR text: eight groups of four digits and `/128`. */
const CIDR_LENGTH = 43;

const cidrBlocks = (what: string) =>
  z
    .array(z.string().min(1).max(CIDR_LENGTH))
    .min(1)
    .max(2)
    .meta({
      description: `CIDRs of ${what}, at most one per family, in the order of \`ipFamilies\`. The live primary may be left out. Cannot be changed once applied; a second one can be added or removed.`,
      'x-kubernetes-list-type': 'atomic',
    });

const clusterNetwork = z
  .strictObject({
    pods: z
      .strictObject({ cidrBlocks: cidrBlocks('pods') })
      .meta({ description: 'The pod network.' })
      .exactOptional(),
    services: z
      .strictObject({ cidrBlocks: cidrBlocks('Services') })
      .meta({ description: 'The Service network. IPv4 from /12 to /29, IPv6 from /108 to /125.' })
      .exactOptional(),
    nodeCIDRMaskSizeIPv4: z
      .int()
      .min(8)
      .max(32)
      .meta({
        description:
          'Prefix length of the IPv4 pod network of one node. Left out: what is live, else what the distribution uses (24).',
      })
      .exactOptional(),
    nodeCIDRMaskSizeIPv6: z
      .int()
      .min(8)
      .max(128)
      .meta({
        description:
          'Prefix length of the IPv6 pod network of one node, at most 16 longer than the pod network. Left out: what is live, else what the distribution uses (64).',
      })
      .exactOptional(),
  })
  .meta({ description: 'Networks of the cluster. Networks of nodes are found, not configured.' });

/** How long something may take, such as 90s, 5m or 1h30m; a rule sees to the longest. */
const duration = (description: string) =>
  z
    .string()
    .min(2)
    .max(16)
    .regex(/^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$/, 'write it like 90s, 5m or 1h30m')
    .meta({ description });

const drain = z
  .strictObject({
    standalonePods: z
      .enum(['Refuse', 'Evict'])
      .meta({
        description:
          'Pods that no controller would make anew. Refuse: no Node is drained while there are such pods on it. Evict: they are evicted, and gone. Default: Refuse.',
      })
      .exactOptional(),
    emptyDir: z
      .enum(['Refuse', 'Evict'])
      .meta({
        description:
          'Pods with emptyDir volumes. Refuse: no Node is drained while there are such pods on it. Evict: they are evicted, and what is in these volumes is gone. Default: Refuse.',
      })
      .exactOptional(),
    timeout: duration(
      'How long a drain may stand still, such as for a PodDisruptionBudget or a volume, before it counts as failed: 90s, 5m or 1h30m; at most 24h. It goes on by itself when it can. Default: 30m.',
    ).exactOptional(),
  })
  .meta({ description: 'How Nodes are drained (with `podCIDRs: Drain`).' });

const nodes = z
  .strictObject({
    nodeIP: z
      .enum(['Manage', 'Leave'])
      .meta({
        description: "Manage: set the kubelet's --node-ip where it is needed. Leave: never touch it. Default: Manage.",
      })
      .exactOptional(),
    gracePeriod: duration(
      'How long a node may lack a wanted family before it counts as delayed, such as 90s, 5m or 1h30m; at most 24h. Default: 5m.',
    ).exactOptional(),
    remediation: z
      .enum(['Auto', 'None'])
      .meta({
        description:
          'Auto: do the remedies that are safe on nodes that lack a family. None: only report. Default: Auto.',
      })
      .exactOptional(),
    podCIDRs: z
      .enum(['Keep', 'Replace', 'Drain'])
      .meta({
        description:
          'How a Node gets its second pod CIDR where the CNI needs one. Keep: only nodes that join from now on. Replace: the Node object is replaced at once. Drain: the same after its pods have moved away: cordon, evict, wait for volumes to be detached, replace, uncordon. Default: Keep.',
      })
      .exactOptional(),
    drain: drain.exactOptional(),
    guard: z
      .enum(['None', 'Taint'])
      .meta({
        description:
          'Taint: once the cluster lives with both families, keep new pods off nodes that join, or fall, without one (taint dualstack.dev/family-missing) until they have proven both. Default: None.',
      })
      .exactOptional(),
    maxUnavailable: z
      .int()
      .min(1)
      .max(100)
      .meta({ description: 'How many nodes may be in change at once, where a step allows more than one. Default: 1.' })
      .exactOptional(),
  })
  .meta({ description: 'How nodes are treated.' });

/** The fields that do not depend on the registry. */
export const baseShape = {
  ipFamilies: z.array(FAMILY).min(1).max(2).meta({
    description:
      'IP families that the cluster shall have. The first is the primary: it must equal the live one and cannot be changed. A second one can be added or removed.',
    'x-kubernetes-list-type': 'atomic',
  }),
  mode: z
    .enum(['Apply', 'Plan'])
    .meta({
      description:
        'Apply: carry the plan out. Plan: work it out and show it in the status, change nothing. Default: Apply.',
    })
    .exactOptional(),
  paused: z
    .boolean()
    .meta({ description: 'True: look, plan and report, but change nothing until it is false again. Default: false.' })
    .exactOptional(),
  approvedPlanHash: z
    .string()
    .max(64)
    .regex(/^[0-9a-f]*$/, 'copy it from status.plan.hash')
    .meta({
      description:
        'If set, changes are made only while it equals `status.plan.hash`: review the plan, then approve it. Empty: no approval is asked for. Default: empty.',
    })
    .exactOptional(),
  clusterNetwork: clusterNetwork.exactOptional(),
  nodes: nodes.exactOptional(),
  services: z
    .strictObject({
      migration: z
        .enum(['None', 'Selected', 'All'])
        .meta({
          description:
            'Which Services get the second family, when nothing speaks against it. Selected: those labelled dualstack.dev/migrate=true. All: all but those labelled dualstack.dev/migrate=false. The cluster DNS Service gets it in any case. Default: Selected.',
        })
        .exactOptional(),
    })
    .meta({ description: 'How existing Services are treated.' })
    .exactOptional(),
  workloads: z
    .strictObject({
      restart: z
        .enum(['None', 'Selected', 'All'])
        .meta({
          description:
            'Which Deployments, StatefulSets and DaemonSets are restarted, one at a time, so that their pods get a second address. Selected: those labelled dualstack.dev/restart=true. All: all but those labelled dualstack.dev/restart=false. Default: None.',
        })
        .exactOptional(),
    })
    .meta({
      description: 'How existing workloads are treated: pods get a second address only when they are made anew.',
    })
    .exactOptional(),
  rollout: z
    .strictObject({
      onFailure: z
        .enum(['Halt', 'RollBack'])
        .meta({
          description:
            'When a step fails. Halt: stop there and report. RollBack: return to the recorded first state, then stop. Default: Halt.',
        })
        .exactOptional(),
      tolerateUnavailable: z
        .int()
        .min(0)
        .max(1000)
        .meta({
          description:
            'How many nodes may be down without stopping the rest; they are converted when they are back. Default: 0.',
        })
        .exactOptional(),
    })
    .meta({ description: 'How the conversion proceeds.' })
    .exactOptional(),
  verification: z
    .strictObject({
      mode: z
        .enum(['Probes', 'None'])
        .meta({ description: 'Probes: prove the result with objects made for it. None: do not. Default: Probes.' })
        .exactOptional(),
    })
    .meta({ description: 'How the result is proven.' })
    .exactOptional(),
  deletionPolicy: z
    .enum(['Orphan', 'Revert'])
    .meta({
      description:
        'When this resource is deleted. Orphan: leave the cluster as it is. Revert: return it to its recorded first state before the resource goes. Default: Orphan.',
    })
    .exactOptional(),
};

const baseSchema = z.strictObject({
  ...baseShape,
  distribution: z.string().exactOptional(),
  cni: z.string().exactOptional(),
});

/** The spec without options of distributions and CNIs, which only their own folders understand. */
export type ClusterSpec = z.infer<typeof baseSchema> & { readonly [option: string]: unknown };
