import { isIPv4, isIPv6 } from 'node:net';
import { type Result, err, ok } from '../../src/result.ts';

/**
 * The kubelet's rules for `--node-ip` without a cloud provider (k8s.io/component-helpers node/util/ips.go and
 * pkg/kubelet/nodestatus/setters.go in Kubernetes 1.36).
 */
export type NodeIPs = readonly string[];

/** What the flag means, or why the kubelet exits. A single address that does not parse is ignored, as it is there. */
export function parseNodeIP(flag: string | undefined): Result<NodeIPs, string> {
  const parts = flag ? flag.split(',') : [];
  const addresses = parts
    .map((part) => part.trim())
    .filter((part) => isIPv4(part) || isIPv6(part))
    .map(canonical);
  if (addresses.length > 2) return err(`must contain either a single IP or a dual-stack pair of IPs`);
  if (addresses.length < 2) return ok(addresses);
  const [first = '', second = ''] = addresses;
  if (isIPv4(first) === isIPv4(second)) return err('must contain either a single IP or a dual-stack pair of IPs');
  if (addresses.some((address) => address === '0.0.0.0' || address === '::'))
    return err(`dual-stack node IP cannot include '0.0.0.0' or '::'`);
  return ok(addresses);
}

/**
 * The InternalIPs that the kubelet reports, or why it leaves the Node's addresses as they are.
 * @param onHost addresses on the host's interfaces, in their order
 */
export function reportedAddresses(nodeIPs: NodeIPs, onHost: readonly string[]): Result<readonly string[], string> {
  for (const [index, address] of nodeIPs.entries()) {
    if (isUnspecified(address)) continue;
    const which = index === 0 ? 'nodeIP' : 'secondaryNodeIP';
    if (!onHost.includes(address))
      return err(`failed to validate ${which}: node IP: "${address}" not found in the host's network interfaces`);
  }
  const [first] = nodeIPs;
  if (first && !isUnspecified(first)) return ok(nodeIPs);
  const preferred = first === '::' ? isIPv6 : isIPv4;
  const found = onHost.find((address) => preferred(address)) ?? onHost[0];
  return found ? ok([found]) : err("can't get ip address of node: no default route");
}

const canonical = (address: string): string =>
  isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
const isUnspecified = (address: string): boolean => address === '0.0.0.0' || address === '::';
