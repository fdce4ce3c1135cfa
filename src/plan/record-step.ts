import type { ClusterFacts } from '../model/facts.ts';
import { type Recordable, RECORDS_SECRET, toRecordEntry } from '../model/record.ts';
import type { Step, StepState } from '../model/step.ts';

/**
 * Keeps the first state of everything that will be changed, before anything is. Keys that are there already are sent again as they are,
 * because server-side apply takes away what an owner no longer names.
 */
export function recordStep(facts: ClusterFacts, recordables: readonly Recordable[]): Step {
  const recorded = facts.records.known ? facts.records.value : {};
  const missing = recordables.filter(({ key }) => recorded[key] === undefined);
  const all: readonly Recordable[] = [...Object.entries(recorded).map(([key, value]) => ({ key, value })), ...missing];
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
    write: {
      is: 'Apply',
      force: true,
      body: {
        type: 'Opaque',
        data: Object.fromEntries(
          all.map((recordable) => {
            const [key, text] = toRecordEntry(recordable);
            return [key, Buffer.from(text, 'utf8').toString('base64')];
          }),
        ),
      },
    },
  };
}

function stateOf({ records }: ClusterFacts, missing: readonly Recordable[]): StepState {
  if (!records.known) return { is: 'Unknown', why: records.why };
  return missing.length === 0
    ? { is: 'Satisfied', evidence: `${Object.keys(records.value).length} first states are recorded` }
    : { is: 'Pending' };
}
