import type { ProbeCheck, ProbedCheck } from '../model/probe.ts';
import type { AskedService, ServicePackets, SilentService } from '../model/service-packets.ts';
import { type Family, familyAtSight, otherFamily } from '../net/family.ts';

/** A connection to each address of each, from that node. */
export const checksOf = (services: readonly AskedService[], source: string): readonly ProbeCheck[] =>
  services.flatMap(({ clusterIPs, port }) =>
    clusterIPs.map((address): ProbeCheck => {
      const task = { do: 'tcp', address, port } as const;
      return { path: 'PodToService', family: familyAtSight(address), source, target: null, task };
    }),
  );

/** What the answers from all nodes say of each. */
export function judgeAnswers(
  services: readonly AskedService[],
  probed: readonly ProbedCheck[],
): Pick<ServicePackets, 'answered' | 'silent'> {
  const byAddress = Map.groupBy(probed, ({ task }) => (task.do === 'tcp' ? task.address : ''));
  const verdicts = services.map((service) => {
    const checks = service.clusterIPs.flatMap((address) => byAddress.get(address) ?? []);
    return {
      service,
      family: silentOver(checks),
      answers: checks.length > 0 && checks.every(({ result }) => result.ok),
    };
  });
  return {
    answered: verdicts.filter(({ answers }) => answers).length,
    silent: verdicts.flatMap(({ service: { namespace, name }, family }): readonly SilentService[] =>
      family === null ? [] : [{ namespace, name, family }],
    ),
  };
}

/** Over which family it does not answer from a node to which it answers over the other; null: there is none. */
function silentOver(checks: readonly ProbedCheck[]): Family | null {
  const isOneSided = ({ source, family, result }: ProbedCheck): boolean =>
    !result.ok &&
    checks.some((other) => other.source === source && other.family === otherFamily(family) && other.result.ok);
  return checks.find(isOneSided)?.family ?? null;
}
