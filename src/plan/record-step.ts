import type { ClusterFacts } from '../model/facts.ts';
import type { Finding } from '../model/finding.ts';
import type { Memory } from '../model/memory.ts';
import { type Recordable, RECORDS_SECRET, toRecordEntry } from '../model/record.ts';
import type { Step, StepState } from '../model/step.ts';
import type { Family } from '../net/family.ts';

/** Under this key the first families are recorded, beside the first states of the plug-ins. */
export const FIRST_FAMILIES_KEY = 'families';

/**
 * True when the cluster was converted by this program and the record of its first state has been removed since. What there is now must then not
 * be taken for a first state. Before an API server speaks both families no cluster object was changed, so until then a new record is right.
 */
export function isRecordLost(facts: ClusterFacts, live: readonly Family[], memory: Memory): boolean {
  if (!facts.records.known || facts.records.value[FIRST_FAMILIES_KEY] !== undefined || live.length < 2) return false;
  return memory.appliedGeneration !== null || facts.nodes.some(wasEdited);
}

/** An agent takes first values before its first edit. */
const wasEdited = ({ agent }: ClusterFacts['nodes'][number]): boolean =>
  Object.keys(agent?.report?.recorded ?? {}).length > 0;

export const recordLostFinding: Finding = {
  reason: 'RecordMissing',
  object: RECORDS_SECRET,
  message: `Secret ${RECORDS_SECRET.namespace}/${RECORDS_SECRET.name} was removed after the cluster had been converted: its first state is not known any more.`,
  remedy: 'Put the Secret back from a backup; without it a way back takes the usual settings of one family.',
  blocks: [],
};

/**
 * Keeps the first state of everything that will be changed, before anything is. Later keys are added by a merge patch, which can take away none
 * of those that are there: server-side apply removes what an owner no longer names.
 */
export function recordStep(facts: ClusterFacts, recordables: readonly Recordable[]): Step {
  const recorded = facts.records.known ? facts.records.value : {};
  const missing = recordables.filter(({ key }) => recorded[key] === undefined);
  return {
    kind: 'ApplyObject',
    id: 'record/cluster',
    phase: 'Record',
    group: 'record',
    target: `Secret ${RECORDS_SECRET.namespace}/${RECORDS_SECRET.name}`,
    why: 'The first state of everything that will be changed is kept, so that it can be put back.',
    diff: missing.map(({ key }) => ({ path: key, before: null, after: 'recorded' })),
    state: stateOf(facts, missing),
    disrupts: null,
    timeoutSeconds: 60,
    ref: RECORDS_SECRET,
    write:
      Object.keys(recorded).length === 0
        ? { is: 'Apply', force: true, body: { type: 'Opaque', data: entriesOf(missing) } }
        : { is: 'MergePatch', body: { data: entriesOf(missing) }, resourceVersion: null },
  };
}

const entriesOf = (recordables: readonly Recordable[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    recordables.map((recordable) => {
      const [key, text] = toRecordEntry(recordable);
      return [key, Buffer.from(text, 'utf8').toString('base64')];
    }),
  );

function stateOf({ records }: ClusterFacts, missing: readonly Recordable[]): StepState {
  if (!records.known) return { is: 'Unknown', why: records.why };
  return missing.length === 0
    ? { is: 'Satisfied', evidence: `${Object.keys(records.value).length} first states are recorded` }
    : { is: 'Pending' };
}
