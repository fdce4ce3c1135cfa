import { z } from 'zod';

/** Encapsulation between nodes, in the words of Calico's own installation API. */
const ENCAPSULATIONS = ['Auto', 'None', 'VXLAN', 'VXLANCrossSubnet', 'IPIP', 'IPIPCrossSubnet'] as const;
export type Encapsulation = (typeof ENCAPSULATIONS)[number];

/**
 * `spec.calico`. There are no defaults in the schema: what is left out follows the cluster, or `DEFAULTS` where the
 * cluster says nothing.
 */
export const calicoOptions = z
  .strictObject({
    pool: z
      .strictObject({
        blockSize: z.int().min(20).max(128).optional().meta({
          description:
            'Prefix length of the blocks that nodes take from the added pool: 116 to 128 for IPv6 (left out: 122), 20 to 32 for IPv4 (left out: 26). Cannot be changed once the pool exists.',
        }),
        encapsulation: z.enum(ENCAPSULATIONS).optional().meta({
          description:
            'How pod traffic of the added family travels between nodes. Auto (or left out): as the backend and the existing pool need it. IPIP carries no IPv6.',
        }),
        natOutgoing: z.boolean().optional().meta({
          description:
            'Whether traffic of the added family that leaves the cluster gets the address of its node. Needed for egress where pods have unique local addresses. Left out: true for IPv4, false for IPv6.',
        }),
        nodeSelector: z
          .string()
          .min(1)
          .max(1024)
          .optional()
          .meta({ description: 'Calico selector of the nodes that use the added pool. Left out: all().' }),
      })
      .optional()
      .meta({ description: 'The pool of the added family.' }),
    autodetectionMethod: z
      .string()
      .max(1024)
      .regex(/^(first-found|kubernetes-internal-ip|(interface|skip-interface|can-reach|cidr)=.+)$/u)
      .optional()
      .meta({
        description:
          'How calico-node finds the address of its node in the added family: first-found, kubernetes-internal-ip, interface=…, skip-interface=…, can-reach=… or cidr=…. Left out: kubernetes-internal-ip.',
      }),
  })
  .meta({ description: 'Options for Calico installed by manifest.' });

type CalicoOptions = z.infer<typeof calicoOptions>;

export const OPTIONS_KEY = 'calico';
export const DEFAULTS = {
  /** Calico's own (`libcalico-go`, IPPoolSpec). */
  blockSize: { IPv4: 26, IPv6: 122 },
  /** As calico-node makes its first pools. */
  natOutgoing: { IPv4: true, IPv6: false },
  nodeSelector: 'all()',
  autodetectionMethod: 'kubernetes-internal-ip',
} as const;

/** The options as asked for. They were checked when the resource was read, so what does not fit here is a bug. */
export const optionsOf = (options: Readonly<Record<string, unknown>>): CalicoOptions =>
  calicoOptions.parse(options[OPTIONS_KEY] ?? {});
