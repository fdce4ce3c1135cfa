import { isIP } from 'node:net';
import { z } from 'zod';
import { EDITABLE_FLAGS, EDITABLE_SYSCTLS, K0S_SHOWN_FLAGS, STATIC_PODS } from '../model/host.ts';
import type { HostSettings } from '../model/host.ts';
import { EDITABLE_K0S_SETTINGS, k0sValueKind } from '../model/k0s.ts';
import type { K0sValueKind } from '../model/k0s.ts';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';

/**
 * The agent's own check of what it is asked for. The resource's schema says the same, but this program runs as root on a host: it
 * believes nobody, and takes the whole of a spec or nothing of it.
 */
export function checkSettings(spec: unknown): Result<HostSettings, string> {
  const parsed = settingsSchema.safeParse(spec ?? {});
  if (!parsed.success) return err(parsed.error.issues.map(issueText).join('; '));
  const settings = parsed.data as HostSettings;
  const problem = contradiction(settings) ?? nodeIPProblem(settings.kubelet?.nodeIPs);
  return problem === null ? ok(settings) : err(problem);
}

const MAX_TEXT = 256;
const FLAG_VALUES: Readonly<Record<string, RegExp>> = {
  'service-cluster-ip-range': /^[0-9a-fA-F.:/,]+$/,
  'cluster-cidr': /^[0-9a-fA-F.:/,]+$/,
  'node-cidr-mask-size': /^[0-9]{1,3}$/,
  'node-cidr-mask-size-ipv4': /^[0-9]{1,2}$/,
  'node-cidr-mask-size-ipv6': /^[0-9]{1,3}$/,
};

const flagSettings = (flags: readonly string[]) =>
  z.strictObject(
    Object.fromEntries(
      flags.map((flag) => [
        flag,
        z
          .string()
          .max(MAX_TEXT)
          .regex(FLAG_VALUES[flag] ?? /^(?!)/)
          .optional(),
      ]),
    ),
  );

const K0S_VALUES: Readonly<Record<K0sValueKind, RegExp>> = {
  Switch: /^(?:true|false)$/,
  Family: /^IPv[46]$/,
  CIDR: /^[0-9a-fA-F.:]+\/[0-9]{1,3}$/,
  CIDRs: /^[0-9a-fA-F.:/,]+$/,
  Mask: /^[0-9]{1,3}$/,
};

const k0sSchema = z.strictObject({
  set: z.strictObject(
    Object.fromEntries(
      EDITABLE_K0S_SETTINGS.map((path) => [
        path,
        z.string().max(MAX_TEXT).regex(K0S_VALUES[k0sValueKind(path)]).optional(),
      ]),
    ),
  ),
  absent: z.array(z.enum(EDITABLE_K0S_SETTINGS)).max(EDITABLE_K0S_SETTINGS.length),
  shows: z.strictObject(
    Object.fromEntries(STATIC_PODS.map((pod) => [pod, flagSettings(K0S_SHOWN_FLAGS[pod]).optional()])),
  ),
});

const settingsSchema = z.strictObject({
  kubelet: z.strictObject({ nodeIPs: z.array(z.string().max(MAX_TEXT)).min(1).max(2) }).optional(),
  staticPods: z
    .strictObject(Object.fromEntries(STATIC_PODS.map((pod) => [pod, flagSettings(EDITABLE_FLAGS[pod]).optional()])))
    .optional(),
  k0s: k0sSchema.optional(),
  absent: z
    .strictObject({
      ...Object.fromEntries(STATIC_PODS.map((pod) => [pod, z.array(z.enum(EDITABLE_FLAGS[pod])).max(16).optional()])),
      kubelet: z
        .array(z.enum(['node-ip']))
        .max(1)
        .optional(),
    })
    .optional(),
  sysctls: z
    .record(z.string(), z.string())
    .superRefine((sysctls, context) => {
      for (const [name, value] of Object.entries(sysctls)) {
        const allowed = allowedSysctlValues(name);
        if (allowed === null)
          context.addIssue({ code: 'custom', path: [name], message: 'is not a sysctl that may be set' });
        else if (!allowed.includes(value))
          context.addIssue({
            code: 'custom',
            path: [name],
            message: `may be ${allowed.join(', ')}, not ${JSON.stringify(value)}`,
          });
      }
    })
    .optional(),
  restart: z.strictObject({ kubelet: z.string().min(1).max(MAX_TEXT).optional() }).optional(),
  again: z.string().min(1).max(MAX_TEXT).optional(),
});

/** Values that a sysctl may take; null: it is not one of ours. */
function allowedSysctlValues(name: string): readonly string[] | null {
  for (const [pattern, values] of Object.entries(EDITABLE_SYSCTLS)) {
    const [before = '', after] = pattern.split('*');
    if (after === undefined ? name === pattern : isInterfaceName(between(name, before, after))) return values;
  }
  return null;
}

const between = (name: string, before: string, after: string): string =>
  name.startsWith(before) && name.endsWith(after) && name.length > before.length + after.length
    ? name.slice(before.length, name.length - after.length)
    : '';

/** The kernel takes up to 15 bytes. A slash or a name of dots alone would lead to another file. */
const isInterfaceName = (name: string): boolean => /^[A-Za-z0-9_.@:-]{1,15}$/.test(name) && !/^\.+$/.test(name);

function contradiction(settings: HostSettings): string | null {
  for (const pod of STATIC_PODS) {
    const both = settings.absent?.[pod]?.find((flag) => settings.staticPods?.[pod]?.[flag] !== undefined);
    if (both !== undefined) return `${pod}: --${both} is asked for and asked to be absent`;
  }
  const twice = settings.k0s?.absent.find((path) => settings.k0s?.set[path] !== undefined);
  if (twice !== undefined) return `k0s: ${twice} is asked for and asked to be absent`;
  return settings.kubelet !== undefined && (settings.absent?.kubelet?.length ?? 0) > 0
    ? 'kubelet: --node-ip is asked for and asked to be absent'
    : null;
}

/** What would make the kubelet exit, or pick any address: both take a node down. */
function nodeIPProblem(addresses: readonly string[] | undefined): string | null {
  if (addresses === undefined) return null;
  const odd = addresses.find((address) => isIP(address) === 0 || address.includes('%'));
  if (odd !== undefined) return `kubelet.nodeIPs: ${JSON.stringify(odd)} is not an IP address`;
  const unusable = addresses.find(isUnusable);
  if (unusable !== undefined) return `kubelet.nodeIPs: ${unusable} cannot be a node's address`;
  return addresses.length === 2 && isIP(addresses[0] ?? '') === isIP(addresses[1] ?? '')
    ? `kubelet.nodeIPs: ${addresses.join(' and ')} are of one family`
    : null;
}

/** Unspecified, loopback, link-local, multicast or IPv4-mapped. */
const isUnusable = (address: string): boolean =>
  isIP(address) === 4
    ? /^(0\.|127\.|169\.254\.|22[4-9]\.|23[0-9]\.|24[0-9]\.|25[0-5]\.)/.test(address)
    : /^(fe[89ab]|ff)/i.test(address) || /^[0:]*(:?1)?$/.test(address) || /^[0:]*:ffff:/i.test(address);

const issueText = (issue: z.core.$ZodIssue): string =>
  `${issue.path.map(String).join('.') || 'spec'}: ${issue.message}`;
