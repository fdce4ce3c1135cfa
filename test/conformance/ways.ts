import { expect, test } from '@jest/globals';
import type { ClusterFacts } from '../../src/model/facts.ts';
import { isBlocker } from '../../src/model/finding.ts';
import type { Plugin } from '../../src/model/plugin.ts';
import { isSatisfied } from '../../src/model/step.ts';
import { type Evidence, type Way, WAYS } from '../../src/model/support.ts';
import type { Wanted } from '../../src/model/wanted.ts';
import { unreachable } from '../../src/result.ts';
import { wantedDual, wantedSingle } from '../support/facts.ts';

export interface Case<Own> {
  readonly facts: ClusterFacts;
  readonly own: Own;
}

/** Reasons by which a plug-in says that something is not its own work. */
const LEFT_TO_OTHERS = ['OptionNotCarriedOut', 'Unmanaged', 'AnotherOwner'];

/** Holds a plug-in to what it says of itself: what it converts it has steps for, what it hands over it tells, what it refuses it blocks. */
export function keepsItsWord<Own>(plugin: Plugin<Own>, cases: readonly Case<Own>[]): void {
  test.each(WAYS.map((way) => [way, plugin.support.ways[way]] as const))(
    '%s is what it says of itself: %j',
    (way, evidence) => {
      const answers = cases.map(({ facts, own }) => {
        const wanted = wantedFor(way, plugin, { facts, own });
        return { steps: plugin.steps(wanted, facts, own), findings: plugin.check(wanted, facts, own) };
      });
      const fitting = answers.filter((answer) => fits(evidence, answer));
      expect(fitting.length).toBeGreaterThan(0);
      if (evidence.is !== 'Refused') return;
      // Where it is not refused there must be nothing to do.
      const others = answers.filter((answer) => !fitting.includes(answer));
      expect(others.flatMap(({ steps }) => steps).filter((step) => !isSatisfied(step))).toEqual([]);
    },
  );
}

interface Answer {
  readonly steps: ReturnType<Plugin<unknown>['steps']>;
  readonly findings: ReturnType<Plugin<unknown>['check']>;
}

function fits(evidence: Evidence, { steps, findings }: Answer): boolean {
  const blockers = findings.filter(isBlocker);
  switch (evidence.is) {
    case 'Converted':
      return steps.length > 0 && blockers.every(({ reason }) => !LEFT_TO_OTHERS.includes(reason));
    case 'HandedOver':
      return (
        steps.some(({ kind }) => kind === 'Handoff') || findings.some(({ reason }) => LEFT_TO_OTHERS.includes(reason))
      );
    case 'Refused':
      return blockers.some(({ reason }) => reason === evidence.reason);
    default:
      return unreachable(evidence);
  }
}

function wantedFor<Own>(way: Way, plugin: Plugin<Own>, { facts, own }: Case<Own>): Wanted {
  switch (way) {
    case 'IPv4ToDual':
      return wantedDual();
    case 'IPv6ToDual':
      return wantedDual({ families: ['IPv6', 'IPv4'] });
    case 'DualToSingle':
      return wantedSingle();
    case 'RollBack':
      return wantedSingle({
        restore: Object.fromEntries(plugin.records(facts, own).map(({ key, value }) => [key, value])),
      });
    default:
      return unreachable(way);
  }
}
