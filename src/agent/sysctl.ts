import { ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { HostFiles } from './files.ts';

/** Read by systemd-sysctl and procps at boot. */
export const SYSCTL_FILE = '/etc/sysctl.d/99-zz-dualstack.conf';
const HEADER = '# Kept by dualstack-operator: IPv4/IPv6 dual-stack needs these.';
const PER_INTERFACE = /^net\.ipv6\.conf\.(.+)\.(accept_ra|forwarding)$/;

/** An interface's name may hold dots, so the path cannot be had by exchanging dots for slashes alone. */
export function sysctlPath(name: string): string {
  const perInterface = PER_INTERFACE.exec(name);
  return perInterface === null
    ? `/proc/sys/${name.replaceAll('.', '/')}`
    : `/proc/sys/net/ipv6/conf/${perInterface[1] ?? ''}/${perInterface[2] ?? ''}`;
}

/** Null: there is no such setting, as when its interface is gone. */
export const readSysctl = (files: HostFiles, name: string): string | null =>
  files.read(sysctlPath(name))?.trim() ?? null;

export const writeSysctl = (files: HostFiles, name: string, value: string): Result<void, string> =>
  files.writeKernel(sysctlPath(name), `${value}\n`);

export function readPersisted(files: HostFiles): Readonly<Record<string, string>> {
  const lines = (files.read(SYSCTL_FILE) ?? '')
    .split('\n')
    .filter((line) => line.includes('=') && !/^\s*[#;]/.test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const [key = '', ...value] = line.split('=');
      return [nameOf(key.trim()), value.join('=').trim()];
    }),
  );
}

/** Keeps a value over a reboot, or forgets it for null. The last one forgotten takes the file with it. */
export function persistSysctl(files: HostFiles, name: string, value: string | null): Result<void, string> {
  const { [name]: _, ...others } = readPersisted(files);
  const wanted = value === null ? others : { ...others, [name]: value };
  const names = Object.keys(wanted).sort();
  if (names.length === 0) return files.exists(SYSCTL_FILE) ? files.remove(SYSCTL_FILE) : ok(undefined);
  const lines = names.map((key) => `${keyOf(key)} = ${wanted[key] ?? ''}`);
  return files.replace(SYSCTL_FILE, `${[HEADER, ...lines].join('\n')}\n`, 0o644);
}

/** With slashes between the parts, dots keep their meaning: both readers of the file take either form. */
const keyOf = (name: string): string =>
  (PER_INTERFACE.exec(name)?.[1] ?? '').includes('.') ? sysctlPath(name).slice('/proc/sys/'.length) : name;

function nameOf(key: string): string {
  const slashed = /^net\/ipv6\/conf\/(.+)\/([^/]+)$/.exec(key);
  return slashed === null ? key.replaceAll('/', '.') : `net.ipv6.conf.${slashed[1] ?? ''}.${slashed[2] ?? ''}`;
}
