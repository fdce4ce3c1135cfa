import * as z from 'zod';
import { HOPS } from '../model/connectivity.ts';
import { PHASES } from '../model/phase.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import { CLUSTER_CONDITIONS } from './conditions.ts';
import {
  conditionsOf,
  count,
  FAMILY,
  families,
  generation,
  LIMITS,
  listOf,
  name,
  text,
  texts,
  time,
} from './fields.ts';
import { clusterSpecSchema, type Vocabulary } from './vocabulary.ts';

const PHASE = z.enum(PHASES).meta({ description: 'Phase of the conversion.' });

const change = z.strictObject({
  path: text('What is changed.'),
  before: text('Value before; absent: it is not there.', LIMITS.diff).exactOptional(),
  after: text('Value after; absent: it is removed.', LIMITS.diff).exactOptional(),
});

const planStep = z.strictObject({
  id: name('Stable name of the step; of a group of steps that do the same to many nodes, the name of the group.'),
  group: name('Steps that do the same to many nodes share a group.'),
  phase: PHASE,
  target: text('What is changed.'),
  total: count('How many steps the entry stands for.'),
  done: count('How many of them are done.'),
  state: z.enum(['Satisfied', 'Pending', 'InProgress', 'Failed', 'Deferred', 'Unknown']).meta({
    description:
      'Satisfied: seen on the real component. Deferred: done when its node is back. Unknown: it could not be read.',
  }),
  message: text('Why it is needed, what it waits for, or why it failed.'),
  disruption: text('What it disrupts and for how long; absent: nothing.').exactOptional(),
  diff: listOf(change, LIMITS.changes, 'What it changes; long texts are cut.').exactOptional(),
});

const finding = z.strictObject({
  reason: name('One of the documented reasons.'),
  object: text('The object that it is about.').exactOptional(),
  message: text('What is wrong: object, field and value.'),
  remedy: text('What to do about it.'),
  blocks: listOf(PHASE, PHASES.length, 'Phases that do not begin while it holds; none: a warning.'),
});

const current = z.strictObject({
  id: name('The step that was begun.'),
  target: text('What it changes.'),
  startedAt: time('When it was begun: its time-out counts from here.'),
  state: z.enum(['Intended', 'InProgress', 'Failed']).meta({
    description: 'Intended: written down before acting. InProgress: begun and not yet proven. Failed: see the message.',
  }),
  message: text('What it waits for, or why it failed.'),
});

const plan = z.strictObject({
  hash: name('Names the whole of what is wanted and the kinds of steps that lead there; see `spec.approvedPlanHash`.'),
  direction: z
    .enum(['Forward', 'Back'])
    .meta({ description: 'Towards more families, or towards fewer.' })
    .exactOptional(),
  total: count('Number of steps.'),
  done: count('Number of steps that are done.'),
  current: current.meta({ description: 'The step in work; absent: none.' }).exactOptional(),
  steps: listOf(planStep, LIMITS.steps, 'The steps in order. Steps over many nodes are one entry.'),
  blockers: listOf(finding, LIMITS.findings, 'What stands in the way, with a remedy each.'),
  warnings: listOf(finding, LIMITS.findings, 'What one should know; nothing waits for it.'),
});

const nodes = z.strictObject({
  total: count('Number of Nodes.'),
  dualStack: count('Nodes with an InternalIP of each family.'),
  ipv4Only: count('Nodes with IPv4 alone.'),
  ipv6Only: count('Nodes with IPv6 alone.'),
  none: count('Nodes without any InternalIP.'),
  delayed: count('Nodes that have lacked a wanted family for longer than `nodes.gracePeriod`.'),
  delayedSince: time(
    'Since when the one of them has lacked it that has for longest; absent: there is none.',
  ).exactOptional(),
  exceptions: listOf(
    z.strictObject({
      name: name('Name of the Node.'),
      families: families('Families that it has.'),
      cause: name('Why it lacks a family: one of the documented causes.'),
      message: text('The cause in a sentence, with what was seen.'),
      remedy: text('What to do about it, in a few words.').exactOptional(),
      command: text('The command for it; words in capitals are to be filled in.').exactOptional(),
      runOn: z
        .enum(['Node', 'Cluster', 'Cloud'])
        .meta({
          description: 'Where the command is run: on the node as root, with kubectl, or with the tool of the cloud.',
        })
        .exactOptional(),
      byOperator: z
        .boolean()
        .meta({ description: 'The operator does it by itself; absent: it is left to people.' })
        .exactOptional(),
      since: time('Since when it has not been as wanted, as far as that is known.').exactOptional(),
      delayed: z
        .boolean()
        .meta({ description: 'It has lacked a wanted family for longer than `nodes.gracePeriod`; absent: it has not.' })
        .exactOptional(),
      tried: z
        .strictObject({
          remedy: z
            .enum(['RestartKubelet', 'SetNodeIP'])
            .meta({ description: 'The kubelet was restarted, or given another --node-ip.' }),
          times: count('How often, without a calm time in between.'),
          at: time('The last time.').exactOptional(),
          inVain: z
            .boolean()
            .meta({ description: 'True: it did not help and is not tried again; absent: that is not known yet.' })
            .exactOptional(),
        })
        .meta({ description: 'What the operator has done about it; absent: nothing yet.' })
        .exactOptional(),
      guarded: z
        .boolean()
        .meta({ description: 'New pods are kept off it by a taint; absent: they are not.' })
        .exactOptional(),
    }),
    LIMITS.exceptions,
    'Nodes that are not as wanted, the worst first; at most 50.',
  ),
});

const hop = z.strictObject({
  hop: z.enum(HOPS).meta({ description: 'Where packets are lost.' }),
  family: FAMILY.meta({ description: 'Family of the packets; absent: it is of no one family.' }).exactOptional(),
  nodes: listOf(name('Name of the Node.'), LIMITS.exceptions, 'Nodes that it is about; none: all of them.'),
  checks: count('Failed checks that it explains.'),
  message: text('What fails, from where to where, and what works.'),
  remedy: text('What to look at.'),
});

const connectivity = z.strictObject({
  fingerprint: name('What the proof is about: families, CIDRs and component settings at that time.'),
  at: time('When it was begun.'),
  failedInRow: count('Proofs in a row that found something wrong, this one included; 0: everything passed.'),
  nodes: z
    .strictObject({
      ready: count('Nodes that could take part.'),
      probed: count('Nodes that took part: all up to 40, beyond that a sample.'),
      newest: time('When the youngest Node was made; younger ones were not there.').exactOptional(),
      leftOut: listOf(name('Name of the Node.'), LIMITS.exceptions, 'Nodes that were not Ready; at most 50.'),
    })
    .meta({ description: 'Nodes of the proof.' }),
  pairs: z
    .strictObject({
      tested: count('Ordered pairs of different nodes between which packets were sent.'),
      total: count('Ordered pairs that there are.'),
    })
    .meta({ description: 'Pairs of nodes: all up to 20 nodes, beyond that a sample.' }),
  checks: z
    .strictObject({ total: count('Number of checks.'), failed: count('Number of checks that failed.') })
    .meta({ description: 'Checks of pods, Services, node ports and DNS.' }),
  families: z
    .array(
      z.strictObject({
        family: FAMILY.meta({ description: 'Family of the packets.' }),
        total: count('Number of checks.'),
        failed: count('Number of checks that failed.'),
        latencyMicroseconds: z
          .strictObject({ median: count('Median.'), p99: count('99th percentile.') })
          .meta({
            description: 'Connecting and one small request between pods on different nodes; absent: none passed.',
          })
          .exactOptional(),
      }),
    )
    .max(2)
    .meta({ description: 'Figures of each family.', 'x-kubernetes-list-type': 'atomic' }),
  hops: listOf(
    hop,
    LIMITS.exceptions,
    'Where packets are lost: the fewest places that explain the failures; at most 50.',
  ),
});

const workloads = z.strictObject({
  total: count('Number of workloads, and single pods, with pods that have addresses of their own.'),
  dualStack: count('Those whose pods all have both families.'),
  singleStack: count('Those with pods of one family.'),
  restarting: text('The one that is being restarted; absent: none.').exactOptional(),
  exceptions: listOf(
    z.strictObject({
      kind: name('Kind of what keeps the pods; Pod: nobody does.'),
      namespace: name('Its namespace.'),
      name: name('Its name.'),
      pods: count('Number of its pods.'),
      singleStack: count('How many of them lack a wanted family.'),
      message: text('What becomes of it, or what to do.'),
    }),
    LIMITS.exceptions,
    'Those with pods that lack a wanted family, the most pods first; at most 50.',
  ),
});

const services = z.strictObject({
  total: count('Number of Services with a cluster IP, or headless.'),
  dualStack: count('Services with both families.'),
  singleStack: count('Services with one family.'),
  pending: count('Services that shall get the second family, or lose it, and have not.'),
  trapped: count(
    'Services that ask for both families and have one: the API server gives them the other only when they are changed.',
  ).exactOptional(),
  blocked: count('Services that are not changed before somebody has done something.').exactOptional(),
  exceptions: listOf(
    z.strictObject({
      namespace: name('Its namespace.'),
      name: name('Its name.'),
      families: families('Families that it has.'),
      state: z
        .enum(['Dual', 'Single', 'Trapped'])
        .meta({ description: 'Trapped: it asks for both families and has one.' }),
      reason: name('Next, NotAsked, or why not: one of the documented reasons.'),
      message: text('What becomes of it, or what to do.'),
      refused: z
        .strictObject({
          resourceVersion: name('Version of the Service: another one is tried anew.'),
          message: text('What the API server said.'),
        })
        .meta({ description: 'The API server did not take its change; absent: that is not so.' })
        .exactOptional(),
    }),
    LIMITS.exceptions,
    'Those that are blocked, trapped or pending, in this order; at most 50.',
  ).exactOptional(),
  packets: z
    .strictObject({
      at: time('When it was begun.'),
      newest: name('When the last of those was changed that it stands for; later ones are asked for themselves.'),
      from: listOf(name('Name of the Node.'), 2, 'Nodes from which it was asked.'),
      asked: count('Services that were asked for a connection: up to 20 of those that were changed last.'),
      answered: count('How many of them answer over both families.'),
      silent: listOf(
        z.strictObject({
          namespace: name('Its namespace.'),
          name: name('Its name.'),
          family: FAMILY.meta({ description: 'Over which it does not answer.' }),
        }),
        LIMITS.exceptions,
        'Those that answer over one family and not over the other. Who answers over neither is not judged.',
      ),
      failedInRow: count('Times in a row that some were silent, this one included.'),
      notAsked: text('Why nobody could be asked; absent: they were asked.').exactOptional(),
    })
    .meta({ description: 'How Services that got a second family answered with packets; absent: none was asked yet.' })
    .exactOptional(),
});

/** What the operator tells, but for `applied`, which has the shape of the spec. */
const statusShape = {
  observedGeneration: generation('Generation of the spec that this status is about; -1: no operator has looked yet.'),
  conditions: conditionsOf(CLUSTER_CONDITIONS, 'Conditions, compatible with kstatus.').exactOptional(),
  detected: z
    .strictObject({
      kubernetesVersion: name('Version of the API server.'),
      distribution: name('Distribution that was found or named.'),
      cni: name('CNI that was found or named.'),
      provider: name('Provider of the nodes, where it could be told.').exactOptional(),
      primaryFamily: FAMILY.meta({ description: 'Primary family of the live cluster.' }).exactOptional(),
    })
    .meta({ description: 'What was found out about the cluster.' })
    .exactOptional(),
  components: listOf(
    z.strictObject({
      component: name('The component.'),
      where: name('Node or object where it was found.'),
      source: text('Where its settings were read.'),
      settings: texts('Settings that carry families or CIDRs.'),
    }),
    LIMITS.components,
    'Settings of each component as they were found.',
  ).exactOptional(),
  plan: plan.meta({ description: 'The ordered steps from the live cluster to what is wanted.' }).exactOptional(),
  nodes: nodes.meta({ description: 'Families of the Nodes.' }).exactOptional(),
  services: services.meta({ description: 'Families of the Services.' }).exactOptional(),
  workloads: workloads.meta({ description: 'Families of the pods, by what keeps them.' }).exactOptional(),
  appliedGeneration: generation('Generation of the spec that was last applied in full.').exactOptional(),
  verified: z
    .strictObject({
      fingerprint: name('What the proof is about: families, CIDRs and component settings at that time.'),
      at: time('When it was proven.'),
      checks: listOf(
        z.strictObject({
          name: name('What was checked.'),
          ok: z.boolean().meta({ description: 'True: as wanted.' }),
          detail: text('What was seen.'),
        }),
        LIMITS.checks,
        'Each check.',
      ),
    })
    .meta({ description: 'The last proof of the result.' })
    .exactOptional(),
  connectivity: connectivity.meta({ description: 'The last proof with packets.' }).exactOptional(),
  rollBack: z
    .strictObject({
      generation: generation('Generation of the spec whose conversion is undone: a new generation starts again.'),
      state: z
        .enum(['Running', 'Done'])
        .meta({ description: 'Running: on its way back. Done: the first state is restored.' }),
      reason: text('Why the conversion was given up.'),
      step: name('The step that failed.'),
      at: time('When it was begun.'),
    })
    .meta({ description: 'A roll-back; absent: none.' })
    .exactOptional(),
  corrections: listOf(
    z.strictObject({
      id: name('The step that was undone from outside.'),
      count: count('How often it was put right.'),
      lastAt: time('When it was put right last.'),
    }),
    LIMITS.corrections,
    'Changes from outside that were put right after the conversion.',
  ).exactOptional(),
};

const statusSchema = z.strictObject(statusShape);

/** What the operator writes. `applied` is the last fully applied spec with every default explicit. */
export type ClusterStatus = z.infer<typeof statusSchema> & { applied?: ClusterSpec };
export type PlanStatus = z.infer<typeof plan>;
export type PlanStepStatus = z.infer<typeof planStep>;
export type PlanCurrent = z.infer<typeof current>;
export type FindingStatus = z.infer<typeof finding>;
export type NodesStatus = z.infer<typeof nodes>;
export type ServicesStatus = z.infer<typeof services>;
export type ServiceException = NonNullable<ServicesStatus['exceptions']>[number];
export type WorkloadsStatus = z.infer<typeof workloads>;
export type WorkloadException = WorkloadsStatus['exceptions'][number];
export type NodeException = NodesStatus['exceptions'][number];

export const clusterStatusSchema = (vocabulary: Vocabulary): z.ZodType<ClusterStatus> =>
  z
    .strictObject({
      ...statusShape,
      applied: clusterSpecSchema(vocabulary)
        .meta({ description: 'The last fully applied spec with every default explicit.' })
        .exactOptional(),
    })
    .meta({
      description: 'What the operator found, plans and did.',
      default: { observedGeneration: -1 },
    });

/** The status of a DualStackCluster as the server holds it. The server's schema guarantees its shape. */
export const clusterStatusOf = (resource: { readonly [field: string]: unknown }): ClusterStatus =>
  (resource['status'] as ClusterStatus | undefined) ?? { observedGeneration: -1 };
