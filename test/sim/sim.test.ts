import { expect, test } from '@jest/globals';
import { resolve } from '../../src/api/resolve.ts';
import type { Request } from '../../src/model/request.ts';
import { vocabulary } from '../../src/registry.ts';
import { PODS, SERVICES } from '../support/facts.ts';
import { SimCluster } from './cluster.ts';
import { checkAfter, checkBefore, isDual, stateOf } from './never.ts';
import { type Crash, type PassResult, SimOperator } from './operator.ts';

export function asked(change: Record<string, unknown> = {}): Request {
  const spec = {
    ipFamilies: ['IPv4', 'IPv6'],
    clusterNetwork: { pods: { cidrBlocks: [PODS.IPv6] }, services: { cidrBlocks: [SERVICES.IPv6] } },
    ...change,
  };
  const request = resolve(spec, vocabulary);
  if (!request.ok) throw new Error(JSON.stringify(request.error));
  return request.value;
}

function onePass(operator: SimOperator, crash: Crash = null): PassResult {
  const { cluster } = operator;
  const result = operator.pass(crash, cluster.observe(), (step) => checkBefore(cluster, step));
  checkAfter(cluster, result);
  cluster.pass(result.acted === null ? 5 : 1);
  return result;
}

function runToRest(operator: SimOperator, limit = 400): readonly string[] {
  const acted: string[] = [];
  for (let pass = 0; pass < limit; pass += 1) {
    const result = onePass(operator);
    if (result.acted !== null) acted.push(result.acted.id);
    const { decision } = result;
    if (
      [
        'Done',
        'Blocked',
        'Failed',
        'WaitingForUser',
        'NodesPending',
        'PlanOnly',
        'Paused',
        'AwaitingApproval',
      ].includes(decision.is)
    ) {
      return [
        ...acted,
        decision.is === 'Blocked'
          ? JSON.stringify(decision.findings)
          : decision.is === 'Failed'
            ? decision.why
            : decision.is,
      ];
    }
  }
  throw new Error(`no rest after ${limit} passes: ${acted.join(' ')}`);
}

test('smoke', () => {
  for (const controlPlanes of [1, 3]) {
    const cluster = new SimCluster({ controlPlanes, workers: 2 });
    const first = stateOf(cluster);
    const operator = new SimOperator(cluster, asked());
    console.log(runToRest(operator).join('\n'));
    console.log(JSON.stringify(operator.status.conditions, null, 1));
    expect(isDual(cluster)).toBe(true);
    operator.ask(asked({ ipFamilies: ['IPv4'], clusterNetwork: {} }));
    console.log(runToRest(operator).join('\n'));
    expect(stateOf(cluster)).toEqual(first);
  }
});
