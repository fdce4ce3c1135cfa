import { expect, test } from '@jest/globals';
import type { ClusterSpec } from '../../../src/api/cluster-spec.ts';
import { checkTransition } from '../../../src/api/transitions.ts';
import { TRANSITIONS } from '../../api/crd-transitions.ts';

test.each(TRANSITIONS.map((entry) => [entry.name, entry] as const))(
  '%s',
  (_name, { before, after, applied, good, says }) => {
    const problems = checkTransition(before as ClusterSpec, after as ClusterSpec, applied as ClusterSpec | undefined);
    expect(problems.length === 0).toBe(good);
    if (says !== undefined) expect(JSON.stringify(problems)).toContain(says);
  },
);
