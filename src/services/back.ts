import { FIRST_STATE } from '../api/names.ts';
import type { ServiceFacts } from '../model/facts.ts';
import { asArray, asString, at } from '../model/object.ts';
import type { Family } from '../net/family.ts';
import { POLICIES, type Policy } from './api-server.ts';
import type { FamilyChange, Verdict } from './verdict.ts';

/** What a Service said of its families before this program changed it. */
export type FirstState = FamilyChange;

/** The text of the annotation that keeps it. */
export const firstStateText = ({ policy, families }: FirstState): string =>
  JSON.stringify({ ipFamilyPolicy: policy, ipFamilies: families });

/** Null: it was not changed by this program, or what stands there is not what it wrote. */
export function firstStateOf({ annotations }: ServiceFacts): FirstState | null {
  const text = annotations[FIRST_STATE];
  if (text === undefined) return null;
  const parsed = parse(text);
  const policy = POLICIES.find((each): each is Policy => each === asString(at(parsed, 'ipFamilyPolicy')));
  const families = asArray(at(parsed, 'ipFamilies'));
  return policy === undefined || families.length === 0 || !families.every(isFamily) ? null : { policy, families };
}

const isFamily = (value: unknown): value is Family => value === 'IPv4' || value === 'IPv6';

/** An annotation is anybody's to write: a text that is no JSON counts as none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The way back to a first state. While the API server serves both families it gives the second to any Service whose policy changes to PreferDualStack, so a
 * Service that said so and had one family is SingleStack for as long, and gets its policy back when the server has one family again.
 */
export function undoChange(first: FirstState, served: readonly Family[]): FamilyChange {
  const isTrap = first.families.length === 1 && first.policy !== 'SingleStack' && served.length > 1;
  return isTrap ? { policy: 'SingleStack', families: first.families } : first;
}

/** What becomes of a Service when a family leaves: what this program added goes, the rest is for those to decide who asked for it. */
export function backWay(service: ServiceFacts, wanted: readonly Family[]): Verdict {
  const { namespace, name, families } = service;
  const [first] = families;
  const leaving = families.filter((family) => !wanted.includes(family));
  if (leaving.length === 0) return { is: 'AsWanted' };
  if (first === undefined || !wanted.includes(first)) {
    return {
      is: 'Blocked',
      reason: 'PrimaryLeaves',
      why: `its first family is ${first ?? 'not known'}, which leaves, and cannot change.`,
      remedy: `Delete it and make it anew: kubectl -n ${namespace} get service ${name} -o yaml shows what it is made of.`,
    };
  }
  const change: FamilyChange = { policy: 'SingleStack', families: [first] };
  if (firstStateOf(service)?.families.length === 1) return { is: 'Migrate', change };
  const patch = JSON.stringify({ spec: { ipFamilyPolicy: change.policy, ipFamilies: change.families } });
  return {
    is: 'Blocked',
    reason: 'AskedByHand',
    why: `it has ${leaving.join(', ')}, and this program did not give it.`,
    remedy: `Make it single-stack when no client needs ${leaving.join(', ')}: kubectl -n ${namespace} patch service ${name} -p '${patch}'.`,
  };
}
