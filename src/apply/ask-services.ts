import type { OperatorError } from '../model/outcome.ts';
import type { ServicePackets } from '../model/service-packets.ts';
import type { AskServices } from '../model/step.ts';
import { ok, type Result } from '../result.ts';
import { runnerPod } from '../verify/packets.ts';
import { checksOf, judgeAnswers } from '../verify/services.ts';
import { type ProvePacketsDeps, removeLeftOver, removeRun, type Runner, runRunners } from './probe-pods.ts';

/**
 * Asks Services for a connection from a pod on each of the nodes, over each family, and sends nothing. The pods are removed whatever happens. That they cannot run, or
 * tell nothing, says nothing of the Services: then it is told why nobody was asked, and held against none of them.
 */
export async function askServices(
  step: AskServices,
  deps: ProvePacketsDeps,
): Promise<Result<ServicePackets, OperatorError>> {
  const at = new Date(deps.clock.now()).toISOString();
  const nobody = (why: string): ServicePackets => ({ ...base(step, at), from: [], asked: 0, notAsked: why });
  if (step.from.length === 0) return ok(nobody('no node is Ready'));
  const run = { namespace: deps.namespace, suffix: deps.suffix, by: deps.by, plan: step, deps };
  const runners = step.from.map((node, index): Runner => {
    const checks = checksOf(step.services, node);
    return { pod: runnerPod(run, node, index, 'pod', checks), checks };
  });
  await removeLeftOver(deps);
  try {
    const ran = await runRunners(run, runners, (reported) =>
      deps.onProgress?.({ servers: [0, 0], runners: [reported, runners.length], probed: [] }),
    );
    if (!ran.ok) return ran.error.kind === 'Transient' ? ran : ok(nobody(ran.error.message));
    const { probed, noReport } = ran.value;
    if (probed.length === 0) return ok(nobody(noReport[0]?.why ?? 'the pods that ask were removed'));
    const { answered, silent } = judgeAnswers(step.services, probed);
    return ok({
      ...base(step, at),
      from: step.from.filter((node) => probed.some(({ source }) => source === node)),
      answered,
      silent,
      failedInRow: silent.length === 0 ? 0 : step.failedBefore + 1,
    });
  } finally {
    await removeRun(deps);
  }
}

const base = ({ newest, services }: AskServices, at: string): ServicePackets => ({
  at,
  newest,
  from: [],
  asked: services.length,
  answered: 0,
  silent: [],
  failedInRow: 0,
  notAsked: null,
});
