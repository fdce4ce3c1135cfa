import * as z from 'zod';
import {
  EDITABLE_FLAGS,
  type HostReport,
  type HostSettings,
  K0S_SHOWN_FLAGS,
  STATIC_PODS,
  type StaticPod,
} from '../model/host.ts';
import { EDITABLE_K0S_SETTINGS, type EditableK0sSetting, k0sValueKind } from '../model/k0s.ts';
import { unreachable } from '../result.ts';
import { NODE_CONDITIONS } from './conditions.ts';
import { conditionsOf, generation, LIMITS, listOf, name, text, texts, time } from './fields.ts';

const COMPONENTS = [...STATIC_PODS, 'kubelet', 'k0s'] as const;

/** One optional property per key. */
const optionalProperties = <K extends string, T extends z.ZodType>(keys: readonly K[], property: (key: K) => T) =>
  Object.fromEntries(keys.map((key) => [key, property(key).exactOptional()])) as Record<K, z.ZodExactOptional<T>>;

const CIDR_LIST = z
  .string()
  .min(1)
  .max(87)
  .regex(/^[0-9a-fA-F.:]+\/[0-9]{1,3}(,[0-9a-fA-F.:]+\/[0-9]{1,3})?$/, 'write CIDRs separated by a comma alone')
  .meta({ description: 'One CIDR per family, primary first, separated by a comma alone.' });

const MASK = z
  .string()
  .min(1)
  .max(3)
  .regex(/^[0-9]+$/, 'write a prefix length')
  .meta({ description: 'A prefix length.' });

const flagValue = (flag: string) => (flag.startsWith('node-cidr-mask-size') ? MASK : CIDR_LIST);

const flags = (component: StaticPod) =>
  z
    .strictObject(optionalProperties<string, z.ZodType<string>>(EDITABLE_FLAGS[component], flagValue))
    .meta({ description: `Flags of ${component} that shall have these values.` });

const absentFlags = (allowed: readonly [string, ...string[]], component: string) =>
  z
    .array(z.enum(allowed))
    .max(allowed.length)
    .meta({ description: `Flags that ${component} shall not have.`, 'x-kubernetes-list-type': 'set' });

const K0S_SWITCH = z.enum(['true', 'false']).meta({ description: 'A switch.' });
const K0S_FAMILY = z.enum(['IPv4', 'IPv6']).meta({ description: 'An IP family.' });
const CIDR = z
  .string()
  .min(1)
  .max(43)
  .regex(/^[0-9a-fA-F.:]+\/[0-9]{1,3}$/, 'write one CIDR')
  .meta({ description: 'One CIDR.' });

function k0sValue(path: EditableK0sSetting): z.ZodType<string> {
  const kind = k0sValueKind(path);
  switch (kind) {
    case 'Switch':
      return K0S_SWITCH;
    case 'Family':
      return K0S_FAMILY;
    case 'CIDR':
      return CIDR;
    case 'CIDRs':
      return CIDR_LIST;
    case 'Mask':
      return MASK;
    default:
      return unreachable(kind);
  }
}

const k0sWish = z
  .strictObject({
    set: z
      .strictObject(optionalProperties<EditableK0sSetting, z.ZodType<string>>(EDITABLE_K0S_SETTINGS, k0sValue))
      .meta({ description: 'Settings that shall have these values, by their path.' }),
    absent: z
      .array(z.enum(EDITABLE_K0S_SETTINGS))
      .max(EDITABLE_K0S_SETTINGS.length)
      .meta({ description: 'Settings that shall not be there.', 'x-kubernetes-list-type': 'set' }),
    shows: z
      .strictObject(
        optionalProperties(STATIC_PODS, (component) =>
          z
            .strictObject(optionalProperties<string, z.ZodType<string>>(K0S_SHOWN_FLAGS[component], () => CIDR_LIST))
            .meta({ description: `Flags that ${component} must run with afterwards.` }),
        ),
      )
      .meta({ description: 'What the processes of k0s must show afterwards, else the change is undone.' }),
  })
  .meta({ description: 'Configuration file of the k0s controller on this host, and a restart of its service.' });

/** Wanted host state: flags and sysctls from short lists, never commands and never file text. */
export const hostSettingsSchema = z
  .strictObject({
    kubelet: z
      .strictObject({
        nodeIPs: z
          .array(
            z
              .string()
              .min(2)
              .max(39)
              .regex(/^[0-9a-f.:]+$/),
          )
          .min(1)
          .max(2)
          .meta({
            description: 'Addresses for --node-ip, primary first, at most one per family.',
            'x-kubernetes-list-type': 'atomic',
          }),
      })
      .meta({ description: 'Settings of the kubelet.' })
      .exactOptional(),
    staticPods: z
      .strictObject(optionalProperties(STATIC_PODS, flags))
      .meta({ description: 'Flags of components that run as static pods.' })
      .exactOptional(),
    k0s: k0sWish.exactOptional(),
    absent: z
      .strictObject({
        'kube-apiserver': absentFlags(EDITABLE_FLAGS['kube-apiserver'], 'kube-apiserver').exactOptional(),
        'kube-controller-manager': absentFlags(
          EDITABLE_FLAGS['kube-controller-manager'],
          'kube-controller-manager',
        ).exactOptional(),
        kubelet: absentFlags(['node-ip'], 'the kubelet').exactOptional(),
      })
      .meta({ description: 'Flags that shall not be there.' })
      .exactOptional(),
    sysctls: z
      .record(z.string(), z.string().regex(/^[0-2]$/, 'write 0, 1 or 2'))
      .meta({
        description:
          'Kernel settings: net.ipv4.ip_forward, net.ipv6.conf.all.forwarding (0 or 1) and net.ipv6.conf.INTERFACE.accept_ra (0, 1 or 2).',
        maxProperties: 64,
      })
      .exactOptional(),
    restart: z
      .strictObject({
        kubelet: z
          .string()
          .min(1)
          .max(64)
          .regex(/^[A-Za-z0-9._:-]+$/)
          .meta({ description: 'A new token asks for one restart of the kubelet.' })
          .exactOptional(),
      })
      .meta({ description: 'Restarts that are asked for.' })
      .exactOptional(),
    again: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[A-Za-z0-9._:-]+$/)
      .meta({
        description:
          'A new token asks for everything once more, where somebody changed the host after it had been carried out.',
      })
      .exactOptional(),
  })
  .meta({
    description: 'What this host shall look like. What is left out is left alone. Written by the operator only.',
  });

const running = (description: string) =>
  z
    .strictObject({
      startedAt: time('When the process was started.'),
      args: texts('Its arguments, from its own command line.', 8192),
    })
    .nullable()
    .meta({ description });

const staticPodReport = z
  .strictObject({
    file: text('Path of the manifest on the host.'),
    hash: text('sha256 of the file.', 128),
    args: texts('Editable flags as the file has them.'),
    running: running('The process; null: there is none.'),
    healthy: z.boolean().nullable().meta({ description: 'What its health endpoint answered last; null: not known.' }),
  })
  .meta({ description: 'A component that runs as a static pod.' });

const defaultRoute = z
  .strictObject({
    interface: name('Interface of the route.'),
    learned: z.boolean().meta({ description: 'True: learned by router advertisement.' }),
  })
  .meta({ description: 'Default route; absent: none.' });

const nullableTexts = (description: string) =>
  z.record(z.string(), z.string().max(LIMITS.message).nullable()).meta({ description, maxProperties: 100 });

/** All fields that an agent reports. */
const reportShape = {
  hostname: name('Name of the host as it calls itself.'),
  addresses: listOf(
    z.strictObject({
      address: text('The address.', 45),
      prefixLength: z.int().min(0).max(128).meta({ description: 'Prefix length.' }),
      interface: name('Interface that has it.'),
      scope: z
        .enum(['Global', 'UniqueLocal', 'LinkLocal', 'Host'])
        .meta({ description: 'How far the address reaches.' }),
      flags: listOf(text('Flag.', 32), 16, 'Flags as the kernel names them: tentative, dadfailed, deprecated …'),
      since: time('When the agent first saw it.'),
    }),
    200,
    'Addresses of the host.',
  ),
  watchingSince: time(
    'Since when the agent has looked in this boot: what it saw then may have been there before.',
  ).exactOptional(),
  network: z
    .strictObject({
      ipv6Disabled: z.boolean().meta({ description: 'True: IPv6 is switched off by sysctl or kernel.' }),
      ipv6DisabledOn: listOf(name('Interface.'), 16, 'Interfaces on which alone IPv6 is switched off.').exactOptional(),
      networkScripts: texts(
        "IPv6 settings of RHEL's network scripts and NetworkManager's profiles, by interface and setting: `eth0 IPV6INIT`, `eth0 ipv6.method`.",
        16,
      ).exactOptional(),
      forwarding: z
        .strictObject({
          IPv4: z.boolean().meta({ description: 'IPv4 packets are forwarded.' }),
          IPv6: z.boolean().meta({ description: 'IPv6 packets are forwarded.' }),
        })
        .meta({ description: 'Forwarding by family.' }),
      acceptRA: texts('accept_ra by interface.', 16),
      defaultRoutes: z
        .strictObject({ IPv4: defaultRoute.exactOptional(), IPv6: defaultRoute.exactOptional() })
        .meta({ description: 'Default route by family.' }),
    })
    .meta({ description: 'Network settings of the kernel.' }),
  kubelet: z
    .strictObject({
      running: running('The kubelet process; null: there is none.'),
      source: text('File whose setting of --node-ip wins, or would.'),
      nodeIPFrom: text('File or variable in which a script at boot leaves the value of --node-ip.').exactOptional(),
    })
    .meta({ description: 'The kubelet as it runs.' }),
  staticPods: z
    .strictObject(optionalProperties(STATIC_PODS, () => staticPodReport))
    .meta({ description: 'Control-plane components on this host.' }),
  kubeadmPatches: listOf(
    z.strictObject({
      file: text('Path of the patch on the host.'),
      component: z.enum(STATIC_PODS).meta({ description: 'Component whose manifest it changes.' }),
      args: texts('Editable flags as the patch has them.', 200),
    }),
    16,
    'Patches of kubeadm that set editable flags. kubeadm lays them over each manifest that it writes anew, as in an upgrade.',
  ).exactOptional(),
  k0s: z
    .strictObject({
      file: text('Its configuration file.'),
      settings: texts('Settings of that file that have to do with IP families, by their path.'),
      problem: text('Why the file cannot be used; empty: it can.'),
      dynamic: z.boolean().meta({ description: 'True: it was started with --enable-dynamic-config.' }),
      byHand: text('Why the agent does not edit that file itself; empty: it does.').exactOptional(),
      healthy: z
        .boolean()
        .nullable()
        .meta({ description: 'What its API server and controller manager answered last; null: not known.' })
        .exactOptional(),
      running: z
        .strictObject({
          'kube-apiserver': running('The API server that it runs; null: there is none.'),
          'kube-controller-manager': running('The controller manager that it runs; null: there is none.'),
        })
        .meta({ description: 'Components that it runs as processes of the host.' }),
    })
    .meta({ description: 'The k0s controller on this host.' })
    .exactOptional(),
  recorded: z
    .strictObject({
      kubelet: z
        .strictObject({
          nodeIP: text('Value of --node-ip; null: it was not set.').nullable(),
        })
        .meta({ description: 'First values of the kubelet.' })
        .exactOptional(),
      staticPods: z
        .strictObject(optionalProperties(STATIC_PODS, () => nullableTexts('First values of flags; null: not set.')))
        .meta({ description: 'First values of components.' })
        .exactOptional(),
      sysctls: texts('First values of kernel settings.').exactOptional(),
      k0s: nullableTexts('First values in the configuration file of k0s, by path; null: not set.').exactOptional(),
    })
    .meta({ description: 'Values before the first change on this host.' }),
  refused: listOf(
    z.strictObject({
      component: z.enum(COMPONENTS).meta({ description: 'The component.' }),
      flag: name('The flag.'),
      value: text('The value that was undone.'),
      generation: generation('Generation of the spec that asked for it.'),
      why: text('What was seen.'),
    }),
    50,
    'Values that were tried here and undone; not tried again for the same generation.',
  ),
  stopped: z.boolean().meta({ description: 'True: the stop file is there, the agent only looks.' }),
};

export const hostReportSchema = z.strictObject(reportShape);

/** Before the agent's first visit the status has only its default, so no field of the report is required. */
export const nodeStatusSchema = z
  .strictObject({
    observedGeneration: generation('Generation of the spec that this status is about; -1: no agent has looked yet.'),
    conditions: conditionsOf(
      NODE_CONDITIONS,
      'Applied: the spec is carried out. Healthy: what was changed runs. RolledBack: something was undone.',
    ).exactOptional(),
    ...(Object.fromEntries(
      Object.entries(reportShape).map(([field, schema]) => [field, (schema as z.ZodType).exactOptional()]),
    ) as { [K in keyof typeof reportShape]: z.ZodExactOptional<(typeof reportShape)[K]> }),
  })
  .meta({
    description: 'What the host shows. Written by the agent on this node only.',
    default: { observedGeneration: -1 },
  });

export type NodeStatus = z.infer<typeof nodeStatusSchema>;

/**
 * Exact both ways: what the schema takes is what the agent is given and reports, and the other way round. Two types can be
 * assignable although one lacks an optional field, so the paths of all fields are compared as well.
 */
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
type Paths<T, Prefix extends string = ''> = T extends readonly (infer Item)[]
  ? Paths<Item, `${Prefix}[]`>
  : T extends object
    ? { [K in keyof T & string]-?: `${Prefix}.${K}` | Paths<NonNullable<T[K]>, `${Prefix}.${K}`> }[keyof T & string]
    : never;
type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Same<A, B> = Mutual<A, Mutable<B>> extends true ? Mutual<Paths<A>, Paths<B>> : false;
const SETTINGS_MATCH: Same<z.infer<typeof hostSettingsSchema>, HostSettings> = true;
const REPORT_MATCHES: Same<z.infer<typeof hostReportSchema>, HostReport> = true;
export const SCHEMAS_MATCH_MODEL = SETTINGS_MATCH && REPORT_MATCHES;
