import { expect, test } from '@jest/globals';
import type { K0sFacts } from '../../../src/distributions/k0s/facts.ts';
import { k0s } from '../../../src/distributions/k0s/index.ts';
import { identityKey } from '../../../src/distributions/k0s/records.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { known } from '../../../src/model/reader.ts';
import type { Wanted } from '../../../src/model/wanted.ts';
import { SERVICES, wantedDual, wantedSingle } from '../../support/facts.ts';
import { firstIdentity, k0sCluster, withControllers } from '../../support/k0s.ts';

/** Three controllers that nobody sees, each restarted since the conversion was planned first. */
function found(wanted: Wanted, own: Partial<K0sFacts>, identity = 'second'): readonly Finding[] {
  const scene = k0sCluster({ controllers: 0, hidden: 3, dual: true }, own);
  const restarted = withControllers(scene.own, (controller) => ({
    ...controller,
    identity: identity === 'first' ? firstIdentity(controller.name) : `apiserver-${controller.name}_${identity}`,
  }));
  const first = ['x1', 'x2', 'x3'].map((name) => [identityKey(name), { holder: firstIdentity(name) }]);
  const facts = { ...scene.facts, records: known(Object.fromEntries(first)) };
  return k0s.check(wanted, facts, restarted).filter(({ reason }) => reason === 'Unmanaged');
}

const OLDER: Partial<K0sFacts> = { serviceCIDR: known(null) };

test('before Kubernetes 1.33 the way back names each controller that nothing waits for, with the edit and the restart', () => {
  const told = found(wantedSingle(), OLDER);
  expect(told.map(({ message }) => /k0s controller (\w+)/u.exec(message)?.[1])).toEqual(['x1', 'x2', 'x3']);
  for (const { blocks, remedy } of told) {
    expect(blocks).toEqual([]);
    expect(remedy).toContain('spec.network.dualStack.enabled');
    expect(remedy).toContain('systemctl restart k0scontroller');
  }
});

test.each<[string, readonly Finding[]]>([
  ['one that is still asked for as a step', found(wantedSingle(), OLDER, 'first')],
  [
    'one that ServiceCIDR kubernetes shows',
    found(wantedSingle(), { serviceCIDR: known([SERVICES.IPv4, SERVICES.IPv6]) }),
  ],
  ['the way to two families', found(wantedDual(), OLDER)],
])('nothing is said of %s', (_name, told) => {
  expect(told).toEqual([]);
});
