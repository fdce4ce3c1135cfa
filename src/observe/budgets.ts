import { asArray, asNumber, asString, at, type KubeObject } from '../model/object.ts';

/** A PodDisruptionBudget. */
export interface Budget {
  readonly namespace: string;
  readonly name: string;
  readonly disruptionsAllowed: number;
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  /** Pods that are not ready may go whatever it says otherwise. */
  readonly alwaysAllowsUnhealthy: boolean;
  /** Its controller has seen its newest spec; else the server counts it as allowing nothing. */
  readonly isCounted: boolean;
  readonly covers: (labels: Readonly<Record<string, string>>) => boolean;
}

export function toBudget(object: KubeObject): Budget {
  const status = (field: string): number => asNumber(at(object, 'status', field)) ?? 0;
  return {
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
    disruptionsAllowed: status('disruptionsAllowed'),
    currentHealthy: status('currentHealthy'),
    desiredHealthy: status('desiredHealthy'),
    alwaysAllowsUnhealthy: at(object, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow',
    isCounted: status('observedGeneration') >= (object.metadata.generation ?? 0),
    covers: selectorOf(at(object, 'spec', 'selector')),
  };
}

/** A `LabelSelector`. An empty one covers everything, none at all covers nothing. */
function selectorOf(selector: unknown): Budget['covers'] {
  if (typeof selector !== 'object' || selector === null) return () => false;
  const labels = Object.entries((at(selector, 'matchLabels') as Record<string, string> | undefined) ?? {});
  const expressions = asArray(at(selector, 'matchExpressions'));
  return (has) =>
    labels.every(([key, value]) => has[key] === value) && expressions.every((expression) => meets(has, expression));
}

function meets(labels: Readonly<Record<string, string>>, expression: unknown): boolean {
  const value = labels[asString(at(expression, 'key')) ?? ''];
  const values = asArray(at(expression, 'values'));
  switch (at(expression, 'operator')) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      // An operator that is not known here: rather too careful than too bold.
      return true;
  }
}
