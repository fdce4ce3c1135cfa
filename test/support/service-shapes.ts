import type { ServiceFacts } from '../../src/model/facts.ts';
import type { Family } from '../../src/net/family.ts';
import {
  answerToCreate,
  type Change,
  POLICIES,
  type Policy,
  SERVICE_TYPES,
  type Shape,
} from '../../src/services/api-server.ts';
import { serviceFacts } from './facts.ts';

export type Asked = Omit<Shape, 'addresses'>;

const FAMILY_LISTS: readonly (readonly Family[])[] = [[], ['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']];

/** What API servers can serve, their default first. */
export const SERVED: readonly (readonly Family[])[] = FAMILY_LISTS.slice(1);

/** Every way to ask for a new Service, sensible or not. */
export const ALL_ASKED: readonly Asked[] = SERVICE_TYPES.flatMap((type) =>
  [true, false].flatMap((selector) =>
    [true, false].flatMap((headless) =>
      [null, ...POLICIES].flatMap((policy) =>
        FAMILY_LISTS.map((families): Asked => ({ type, selector, headless, policy, families })),
      ),
    ),
  ),
);

/** Every merge patch of the two fields. */
export const ALL_CHANGES: readonly Change[] = [undefined, ...POLICIES].flatMap((policy: Policy | undefined) =>
  [undefined, ...FAMILY_LISTS, ['IPv4', 'IPv4'] as const].map(
    (families): Change => ({
      ...(policy === undefined ? {} : { policy }),
      ...(families === undefined ? {} : { families }),
    }),
  ),
);

/** All Services that a server with these families can have made, each once. */
export function storedBy(served: readonly Family[]): readonly Shape[] {
  const stored = new Map<string, Shape>();
  for (const asked of ALL_ASKED) {
    const answer = answerToCreate(asked, served);
    if (answer.is === 'Stored') stored.set(shapeText(answer.shape), answer.shape);
  }
  return [...stored.values()];
}

/** For names of tests and messages. */
export const shapeText = ({ type, selector, headless, policy, families }: Asked): string =>
  `${type}${headless ? ' headless' : ''}${selector ? '' : ' without selector'} ${policy ?? 'no policy'} [${families.join()}]`;

const ADDRESSES: Readonly<Record<Family, string>> = { IPv4: '10.96.0.7', IPv6: 'fd00:10:96::7' };

/** The same as facts. */
export const factsOf = (shape: Shape, change: Partial<ServiceFacts> = {}): ServiceFacts =>
  serviceFacts({
    namespace: 'shop',
    name: 'web',
    type: shape.type,
    policy: shape.policy ?? '',
    families: shape.families,
    headless: shape.headless,
    selector: shape.selector,
    clusterIPs: shape.headless ? ['None'] : shape.addresses.map((family) => ADDRESSES[family]),
    ...change,
  });
