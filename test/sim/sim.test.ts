import { expect, test } from '@jest/globals';
import type { PassResult } from './operator.ts';
import { isDual, stateOf } from './never.ts';
import {
  type Disturbance,
  foreignTaint,
  HAND_EDITS,
  lateWorker,
  leaderChange,
  nodeDown,
  refusal,
} from './disturbances.ts';
import { asked, type Faults, Run } from './run.ts';
import { random, type Random } from './random.ts';

const SEEDS = Number(process.env['SIM_SEEDS'] ?? '6');
const FIRST = Number(process.env['SIM_FIRST'] ?? '1');

/** Runs one story per seed; a failure names its seed and all that had happened. */
function forSeeds(story: (random: Random, begin: (run: Run) => Run) => void, seeds = SEEDS): void {
  const failures: string[] = [];
  for (let seed = FIRST; seed < FIRST + seeds; seed += 1) {
    let run: Run | null = null;
    try {
      story(random(seed), (begun) => {
        run = begun;
        return begun;
      });
    } catch (error) {
      const log = (run as Run | null)?.log ?? [];
      failures.push(`seed ${seed}: ${(error as Error).message.slice(0, 1500)}\n  ${log.join('\n  ')}`);
    }
  }
  if (failures.length > 0)
    throw new Error(
      `${failures.length} of ${seeds} seeds fail (SIM_FIRST=<seed> SIM_SEEDS=1)\n${failures.slice(0, 3).join('\n')}`,
    );
}

const SHAPES = [1, 1, 3] as const;

const shape = (random: Random) => ({ controlPlanes: random.pick(SHAPES), workers: random.int(0, 3) });

/** Steps that somebody may have done by hand. */
function someSteps(run: Run, random: Random): readonly string[] {
  const { plan } = run.operator.pass('BeforeIntent');
  const ids = plan.steps
    .filter(({ id }) => !/^(record|verify)|rollout|strategy|lease|^dns/u.test(id))
    .map(({ id }) => id);
  return random.subset(ids, random.next());
}

const told = ({ decision }: PassResult): string =>
  decision.is === 'Blocked'
    ? `Blocked ${decision.findings.map(({ reason, message }) => `${reason}: ${message}`).join()}`
    : decision.is === 'Failed'
      ? `Failed ${decision.why}`
      : decision.is;

test('half-converted starts, crashes and unreadable facts: converted in the end, and nothing is done twice', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked(), random));
    if (random.chance(0.5)) run.byHand(someSteps(run, random));
    const end = run.toRest({ crash: 0.1, blur: 0.05, disturbances: [] });
    expect(told(end)).toBe('Done');
    expect(isDual(run.cluster)).toBe(true);
  });
});

/** What passes by itself: nodes that come back, another leader, workers that join. */
function passing(run: Run, random: Random): Faults {
  const disturbances: readonly Disturbance[] = [
    nodeDown(run.cluster, random, random.int(30, 2000)),
    leaderChange,
    lateWorker('worker-8', random.pick([0, 120, 1500])),
    leaderChange,
    nodeDown(run.cluster, random, random.int(30, 2000)),
  ];
  return { crash: 0.05, blur: 0.03, disturbances: random.subset(disturbances, 0.5) };
}

test('nodes that go down and come back, other leaders and workers that join: converted in the end', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked({ rollout: { tolerateUnavailable: random.int(0, 1) } }), random));
    const end = run.toRest(passing(run, random));
    expect(told(end)).toBe('Done');
    expect(isDual(run.cluster)).toBe(true);
  });
});

test('hand edits after the conversion are put right, counted and told', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked(), random));
    run.toRest();
    run.operator.told.length = 0;
    const edits = random.subset(HAND_EDITS, 0.4);
    for (const edit of edits) {
      run.disturb(edit);
      expect(told(run.toRest({ crash: 0.05, blur: 0, disturbances: [] }))).toBe('Done');
    }
    expect(isDual(run.cluster)).toBe(true);
    if (edits.length > 0) expect(run.operator.told.map(({ reason }) => reason)).toContain('Corrected');
  });
});

test('an edit that a host does not stand: halted with the reason, or everything as it was', () => {
  forSeeds((random, begin) => {
    const onFailure = random.pick(['Halt', 'RollBack']);
    const run = begin(new Run(shape(random), asked({ rollout: { onFailure } }), random));
    const first = stateOf(run.cluster);
    const end = run.toRest({ crash: 0.05, blur: 0, disturbances: [refusal(run.cluster, random)] });
    if (run.log.every((line) => !line.includes('fails')) || isDual(run.cluster)) return;
    if (onFailure === 'Halt') {
      expect(told(end)).toContain('was undone');
    } else {
      expect(run.operator.status.rollBack).toMatchObject({ state: 'Done' });
      expect(stateOf(run.cluster)).toEqual(first);
    }
  });
});

test('there, and back in the middle or from the end: every value as it was', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked(), random));
    const first = stateOf(run.cluster);
    if (random.chance(0.5)) run.toRest({ crash: 0.05, blur: 0.03, disturbances: [] });
    else run.some(random.int(1, 60));
    run.operator.ask(asked({ ipFamilies: ['IPv4'], clusterNetwork: {} }));
    expect(told(run.toRest({ crash: 0.05, blur: 0.03, disturbances: [] }))).toBe('Done');
    expect(stateOf(run.cluster)).toEqual(first);
  });
});

test('a converted cluster is mended, never undone, whatever happens to it later', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked({ rollout: { onFailure: 'RollBack' } }), random));
    expect(told(run.toRest())).toBe('Done');
    const late = lateWorker('worker-8', random.int(600, 4000));
    const more = random.subset([nodeDown(run.cluster, random, random.int(30, 2000)), leaderChange], 0.5);
    expect(told(run.toRest({ crash: 0.05, blur: 0.02, disturbances: [late, ...more] }))).toBe('Done');
    expect(run.operator.status.rollBack).toBeUndefined();
    expect(isDual(run.cluster)).toBe(true);
  });
});

test('back with a Node that has two pod CIDRs: stopped before the controller manager, and finished when the Node is made anew', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked(), random));
    run.toRest();
    run.disturb(lateWorker('worker-8', 0));
    expect(told(run.toRest())).toBe('Done');
    run.operator.ask(asked({ ipFamilies: ['IPv4'], clusterNetwork: {} }));
    expect(told(run.toRest())).toContain('NodesWithTwoPodCIDRs');
    expect(run.log.slice(-30).some((line) => line.startsWith('calico/'))).toBe(true);
    run.cluster.changeNode('worker-8', (node) => ({ ...node, podCIDRs: node.podCIDRs.slice(0, 1) }));
    expect(told(run.toRest())).toBe('Done');
  });
});

const GUARD = { nodes: { guard: 'Taint' } };
const isGuarded = (run: Run, name: string): boolean =>
  run.cluster.nodes.some((node) => node.name === name && node.taints.some(({ key }) => key === TAINT));
const TAINT = 'dualstack.dev/family-missing';

test('a node whose IPv6 is late: kept free of pods while that is so, told, and freed when it has proven itself', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run({ ...shape(random), workers: random.int(1, 3) }, asked(GUARD), random));
    expect(told(run.toRest({ crash: 0.05, blur: 0.02, disturbances: [] }))).toBe('Done');
    expect(run.log.filter((line) => line.startsWith('guard/'))).toEqual([]);
    const first = run.cluster.nodes[1]?.name ?? '';
    const seconds = random.int(1000, 4000);
    run.disturb(lateWorker('worker-8', seconds));
    run.disturb(foreignTaint('worker-8', random.int(10, seconds)));
    run.some(8);
    expect(isGuarded(run, 'worker-8')).toBe(true);
    expect(run.operator.status.nodes?.exceptions).toMatchObject([
      { name: 'worker-8', cause: 'CNILostPrimary', guarded: true },
    ]);
    const more = random.subset([nodeDown(run.cluster, random, random.int(30, 900)), leaderChange], 0.5);
    expect(told(run.toRest({ crash: 0.05, blur: 0.02, disturbances: more }))).toBe('Done');
    expect([isGuarded(run, 'worker-8'), isGuarded(run, first)]).toEqual([false, false]);
    const reasons = run.operator.told.map(({ reason }) => reason);
    expect(reasons.filter((reason) => /^(Node|CNI)/u.test(reason))).toEqual(
      expect.arrayContaining(['NodeGuarded', 'CNILostPrimary', 'NodeFreed']),
    );
  });
});

test('a guarded node is freed on the way back', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run({ controlPlanes: 1, workers: 2 }, asked(GUARD), random));
    run.toRest();
    run.disturb(lateWorker('worker-8', 100_000));
    run.some(8);
    expect(isGuarded(run, 'worker-8')).toBe(true);
    run.operator.ask(asked({ ...GUARD, ipFamilies: ['IPv4'], clusterNetwork: {} }));
    run.some(3);
    expect(isGuarded(run, 'worker-8')).toBe(false);
  });
});

test('workloads are restarted one after another, once each, and not before the network plug-in gives both families', () => {
  forSeeds((random, begin) => {
    const restart = random.pick(['All', 'Selected']);
    const run = begin(new Run(shape(random), asked({ workloads: { restart } }), random));
    for (let n = 1; n <= 5; n += 1) {
      const label = random.pick([null, 'true', 'false']);
      run.cluster.workloads.add(`web-${n}`, { label, ...(n === 4 ? { obstacle: 'OnDelete' } : {}) });
    }
    const disturbances = random.chance(0.5) ? [leaderChange, lateWorker('worker-8', 0)] : [];
    expect(told(run.toRest({ crash: 0.05, blur: 0.02, disturbances }))).toBe('Done');
    for (const { name, restart: facts, without } of run.cluster.workloads.list) {
      const isChosen = facts?.label === 'true' || (restart === 'All' && facts?.label === null);
      expect({ name, without: without.IPv6 }).toEqual({ name, without: isChosen && name !== 'web-4' ? 0 : 2 });
    }
    run.operator.ask(asked({ workloads: { restart }, ipFamilies: ['IPv4'], clusterNetwork: {} }));
    // A Node that joined with two pod CIDRs stops the way back at the controller manager.
    expect(told(run.toRest())).toMatch(disturbances.length > 0 ? /Done|NodesWithTwoPodCIDRs/u : /^Done$/u);
    expect(run.cluster.workloads.list.map(({ restart: facts }) => facts?.mark)).toEqual([null, null, null, null, null]);
  });
});

const REPLACE = { nodes: { podCIDRs: 'Replace' } };

test('Nodes are replaced for their second pod CIDR, whoever goes down, joins or leads; and once more on the way back', () => {
  forSeeds((random, begin) => {
    const change = { ...REPLACE, rollout: { tolerateUnavailable: random.int(0, 1) } };
    const run = begin(new Run({ ...shape(random), cni: 'Unmanaged' }, asked(change), random));
    const first = stateOf(run.cluster);
    const names = run.cluster.nodes.map(({ name }) => name);
    if (random.chance(0.7)) {
      expect(told(run.toRest(passing(run, random)))).toBe('Done');
      expect(isDual(run.cluster)).toBe(true);
    } else {
      run.some(random.int(10, 60));
    }
    run.operator.ask(asked({ ...change, ipFamilies: ['IPv4'], clusterNetwork: {} }));
    expect(told(run.toRest({ crash: 0.05, blur: 0.03, disturbances: [] }))).toBe('Done');
    expect(run.cluster.nodes.filter(({ podCIDRs }) => podCIDRs.length !== 1)).toEqual([]);
    if (run.cluster.nodes.length === names.length) expect(stateOf(run.cluster)).toEqual(first);
  });
});

test('back with a Node that has two pod CIDRs: it is replaced where that is asked for, and nothing else is', () => {
  forSeeds((random, begin) => {
    const run = begin(new Run(shape(random), asked(REPLACE), random));
    run.toRest();
    run.disturb(lateWorker('worker-8', 0));
    expect(told(run.toRest())).toBe('Done');
    run.operator.ask(asked({ ...REPLACE, ipFamilies: ['IPv4'], clusterNetwork: {} }));
    expect(told(run.toRest({ crash: 0.05, blur: 0, disturbances: [] }))).toBe('Done');
    const replaced = new Set(run.log.filter((line) => line.startsWith('pod-cidrs/')).map((line) => line.split(' ')[0]));
    expect([...replaced]).toEqual(['pod-cidrs/worker-8']);
  });
});
