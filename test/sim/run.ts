import { expect } from '@jest/globals';
import { resolve } from '../../src/api/resolve.ts';
import type { ClusterFacts } from '../../src/model/facts.ts';
import type { Request } from '../../src/model/request.ts';
import { isSatisfied, type Step } from '../../src/model/step.ts';
import { vocabulary } from '../../src/registry.ts';
import { PODS, SERVICES } from '../support/facts.ts';
import { SimCluster, type SimOptions } from './cluster.ts';
import { blur, BLURS, type Disturbance } from './disturbances.ts';
import { checkAfter, checkBefore } from './never.ts';
import { type Crash, type PassResult, SimOperator } from './operator.ts';
import type { Random } from './random.ts';

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

export interface Faults {
  /** Probability that a pass ends before its end. */
  readonly crash: number;
  /** Probability that something could not be read in a pass. */
  readonly blur: number;
  /** What happens, at passes chosen at random. */
  readonly disturbances: readonly Disturbance[];
}

export const NO_FAULTS: Faults = { crash: 0, blur: 0, disturbances: [] };

/** Passes after the last disturbance within which the cluster must have come to rest. */
const PASS_LIMIT = 600;
/** A rest is believed when it lasts this long: longer than every time-out. */
const REST_SECONDS = 4500;

export class Run {
  readonly operator: SimOperator;
  /** What happened, for the message of a failure. */
  readonly log: string[] = [];
  readonly cluster: SimCluster;
  readonly #random: Random;
  #blur = { which: 0, passes: 0 };
  readonly #hashes = new Map<string, string>();
  /** Acts since the last disturbance, to find one that is done twice. */
  #acts = new Set<string>();
  #ends: { at: number; run: (cluster: SimCluster) => void; name: string }[] = [];

  constructor(options: SimOptions, request: Request, random: Random) {
    this.cluster = new SimCluster(options);
    this.operator = new SimOperator(this.cluster, request);
    this.#random = random;
  }

  /** Carries out these steps of the plan as if somebody had done them by hand, long ago. */
  byHand(ids: readonly string[]): void {
    for (const id of ids) {
      const { plan } = this.operator.pass('BeforeIntent');
      const step = plan.steps.find((candidate) => candidate.id === id);
      if (step !== undefined && !isSatisfied(step) && isDoable(step)) {
        this.cluster.byHand(step);
        this.log.push(`by hand: ${id}`);
      }
    }
    this.cluster.pass(7200);
  }

  disturb(disturbance: Disturbance): void {
    this.log.push(`~~ ${disturbance.name}`);
    disturbance.begin(this.cluster, this.#random);
    this.#acts.clear();
    const { end } = disturbance;
    if (end === undefined) return;
    this.#ends.push({ at: this.cluster.now + end.afterSeconds * 1000, run: end.run, name: disturbance.name });
  }

  /** Runs until nothing changes any more. */
  toRest(faults: Faults = NO_FAULTS): PassResult {
    const queue = [...faults.disturbances];
    for (let pass = 0; pass < PASS_LIMIT; pass += 1) {
      this.#endDisturbances();
      if (queue.length > 0 && this.#random.chance(0.06)) this.disturb(queue.shift()!);
      const result = this.#pass(faults);
      const isCalm = queue.length === 0 && this.#ends.length === 0;
      if (isCalm && isRest(result) && this.#staysSo(result)) return result;
      if (isRest(result) && queue.length > 0) this.disturb(queue.shift()!);
      this.cluster.pass(this.#secondsAfter(result));
    }
    throw new Error(`no rest after ${PASS_LIMIT} passes`);
  }

  /** So many passes, and no further. */
  some(passes: number): void {
    for (let pass = 0; pass < passes; pass += 1) this.cluster.pass(this.#secondsAfter(this.#pass(NO_FAULTS)));
  }

  #secondsAfter(result: PassResult): number {
    if (result.acted !== null) return 1;
    return isRest(result) ? 60 : this.#random.int(5, 30);
  }

  #endDisturbances(): void {
    const over = this.#ends.filter(({ at }) => at <= this.cluster.now);
    this.#ends = this.#ends.filter((each) => !over.includes(each));
    for (const { run, name } of over) {
      this.log.push(`~~ over: ${name}`);
      run(this.cluster);
      this.#acts.clear();
    }
  }

  #pass(faults: Faults): PassResult {
    const random = this.#random;
    const crash = random.chance(faults.crash) ? random.pick<Crash>(['BeforeIntent', 'BeforeAct', 'AfterAct']) : null;
    const facts = this.cluster.observe();
    const seen = this.#blurred(facts, faults);
    const result = this.operator.pass(crash, seen, (step) => {
      checkBefore(this.cluster, step);
      this.#once(step);
    });
    if (result.acted !== null) this.log.push(`${result.acted.id}${crash === null ? '' : ` (crash ${crash})`}`);
    else if (crash !== null) this.log.push(`(crash ${crash})`);
    checkAfter(this.cluster, result);
    if (seen === facts) this.#sameHash(result);
    return result;
  }

  /** What cannot be read stays so for some passes. */
  #blurred(facts: ClusterFacts, { blur: probability }: Faults): ClusterFacts {
    const random = this.#random;
    if (this.#blur.passes === 0 && random.chance(probability)) {
      this.#blur = { which: random.int(0, BLURS - 1), passes: random.int(1, 12) };
    }
    if (this.#blur.passes === 0 || probability === 0) return facts;
    this.#blur = { ...this.#blur, passes: this.#blur.passes - 1 };
    return blur(facts, this.#blur.which);
  }

  /** An approval must hold from before the first step to after the last. */
  #sameHash({ plan, goal }: PassResult): void {
    const key = `${this.operator.generation} ${goal}`;
    const first = this.#hashes.get(key) ?? plan.hash;
    this.#hashes.set(key, first);
    if (plan.hash !== first) throw new Error('never: the plan has another hash in the middle of the work');
  }

  #once(step: Step): void {
    // A proof that a crash lost has to be made again.
    if (step.kind === 'Verify') return;
    const what = JSON.stringify({ id: step.id, goal: this.operator.generation, ...payloadOf(step) });
    if (this.#acts.has(what)) throw new Error(`never: ${step.id} is done twice`);
    this.#acts.add(what);
  }

  /** Once at rest, time alone changes nothing and nothing is written. */
  #staysSo(first: PassResult): boolean {
    const told: string[] = [];
    for (let waited = 0; waited < REST_SECONDS; waited += 900) {
      this.cluster.pass(900);
      const { decision, acted } = this.#pass(NO_FAULTS);
      if (acted !== null || decision.is !== first.decision.is) return false;
      told.push(JSON.stringify(this.operator.status, null, 1));
    }
    expect(told.at(-1)).toBe(told[0]);
    return true;
  }
}

const isRest = ({ decision, acted }: PassResult): boolean =>
  acted === null && decision.is !== 'Wait' && decision.is !== 'Act';

const isDoable = (step: Step): boolean => step.kind !== 'WaitFor' && step.kind !== 'TransferLease';

function payloadOf(step: Step): object {
  const { why: _why, state: _state, diff: _diff, ...rest } = step;
  return rest;
}
