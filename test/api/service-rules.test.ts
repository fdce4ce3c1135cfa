import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { asArray, asString, at } from '../../src/model/object.ts';
import type { Family } from '../../src/net/family.ts';
import {
  type Answer,
  answerToCreate,
  answerToPatch,
  type Change,
  POLICIES,
  SERVICE_TYPES,
  type Shape,
} from '../../src/services/api-server.ts';
import { firstStateText } from '../../src/services/back.ts';
import { judge } from '../../src/services/rules.ts';
import type { FamilyChange, Situation } from '../../src/services/verdict.ts';
import { known } from '../../src/model/reader.ts';
import { startCluster, type TestCluster } from '../cluster/index.ts';
import { eventually } from '../support/eventually.ts';
import { ALL_ASKED, ALL_CHANGES, type Asked, factsOf, SERVED, shapeText } from '../support/service-shapes.ts';

/**
 * What this program believes of an API server's answers, compared with a real one: every way to make a Service, and every change of the two fields of each that
 * could be made, while the server has one family, after it has got a second, and after that was taken away again.
 */

const PATH = '/api/v1/namespaces/default/services';
const RANGES: Readonly<Record<Family, string>> = { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' };
const PODS: Readonly<Record<Family, string>> = { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' };
const RANGE_FLAG = '--service-cluster-ip-range=';
const DEADLINE_MS = 60_000;
const AT_ONCE = 8;

describe.each<[Family, Family]>([
  ['IPv4', 'IPv6'],
  ['IPv6', 'IPv4'],
])('an API server whose default is %s', (first, second) => {
  let cluster: TestCluster;
  /** Services that were made so far: one of each shape, and those of a shape that were made while the server had one family and both. */
  const made = new Map<string, Shape>();
  /** What those were that were given both families, and the text of the annotation that says so. */
  const migrated = new Map<string, { readonly shape: Shape; readonly text: string }>();

  beforeAll(async () => {
    cluster = await startCluster({ controlPlanes: 1, podSubnet: PODS[first], serviceSubnet: RANGES[first] });
  });
  afterAll(async () => cluster?.stop());

  /** Starts the server anew with these families, and waits until it gives out addresses of each. */
  async function serve(families: readonly Family[]): Promise<void> {
    const node = cluster.controlPlanes[0]!;
    const range = `${RANGE_FLAG}${families.map((family) => RANGES[family]).join()}`;
    node.launchOverride('kube-apiserver', (args) =>
      args.map((argument) => (argument.startsWith(RANGE_FLAG) ? range : argument)),
    );
    node.kill('kube-apiserver');
    const policy = families.length > 1 ? 'RequireDualStack' : 'SingleStack';
    await eventually(
      `addresses of ${families.join()} are given out, and of no other family`,
      async () => {
        const all = await tryCreate(cluster, { ...PLAIN, policy }, 'probe', true).catch(() => null);
        const both = await tryCreate(cluster, { ...PLAIN, policy: 'RequireDualStack' }, 'probe', true).catch(
          () => null,
        );
        return all?.is === 'Stored' && both?.is === (families.length > 1 ? 'Stored' : 'Refused');
      },
      DEADLINE_MS,
    );
  }

  /** Differences between the server's answer and the one that was told beforehand. */
  async function createAll(served: readonly Family[], when = `with-${served.length}`): Promise<readonly string[]> {
    const shapes = new Set<string>();
    return differences(ALL_ASKED, async (asked, index) => {
      const name = `${when}-${index}`;
      const answer = await tryCreate(cluster, asked, name, false);
      if (answer.is === 'Stored' && shapes.size < shapes.add(shapeText(answer.shape)).size)
        made.set(name, answer.shape);
      return differenceOf(`create ${shapeText(asked)}`, answerToCreate(asked, served), answer);
    });
  }

  async function patchAll(served: readonly Family[]): Promise<readonly string[]> {
    const pairs = [...made].flatMap(([name, shape]) => ALL_CHANGES.map((change) => ({ name, shape, change })));
    return differences(pairs, async ({ name, shape, change }) =>
      differenceOf(
        `${shapeText(shape)} ← ${JSON.stringify(change)}`,
        answerToPatch(shape, change, served),
        await tryPatch(cluster, name, change),
      ),
    );
  }

  test('new Services, and changes of them, while it has one family', async () => {
    expect(await createAll([first])).toEqual([]);
    expect(made.size).toBeGreaterThan(20);
    expect(await patchAll([first])).toEqual([]);
  }, 180_000);

  test('the same Services, and new ones, when it has both', async () => {
    await serve([first, second]);
    const before = made.size;
    expect(await createAll([first, second])).toEqual([]);
    expect(made.size).toBeGreaterThan(before + 40);
    expect(await patchAll([first, second])).toEqual([]);
  }, 300_000);

  test('each change that the rules would make, whatever is wanted, is taken as it is meant', async () => {
    expect(await tryAllVerdicts([first, second])).toEqual([]);
  }, 120_000);

  test('there for real, and back for real', async () => {
    const wrong = await differences([...made], async ([name, shape]) => {
      const verdict = judge(factsOf(shape, { labels: ASKED }), NOTHING_BEHIND, situation([first, second]));
      if (verdict.is !== 'Migrate' || shape.policy === null) return null;
      const text = firstStateText({ policy: shape.policy, families: shape.families });
      const there = await patch(cluster, name, verdict.change, text);
      if (there.is !== 'Stored' || !isGivenBoth(shape, there.shape))
        return `${shapeText(shape)}: ${JSON.stringify(there)}`;

      migrated.set(name, { shape, text });
      const back = judge(factsOf(there.shape, { annotations: { [FIRST_STATE]: text } }), NOTHING_BEHIND, {
        ...situation([first, second]),
        wanted: shape.families,
      });
      if (back.is !== 'Migrate') return `${shapeText(there.shape)}: ${JSON.stringify(back)}`;
      const undone = await patch(cluster, name, back.change, text);
      if (undone.is !== 'Stored') return `${shapeText(there.shape)}: ${JSON.stringify(undone)}`;
      made.set(name, undone.shape);
      // While the server has both, one that prefers both and has one says for the time being that it wants one.
      return differenceOf(`back to ${shapeText(shape)}`, stored({ ...shape, policy: 'SingleStack' }), undone);
    });
    expect(wrong).toEqual([]);
    expect(migrated.size).toBeGreaterThan(10);
  }, 120_000);

  test('all of them, and new ones, when it has one family again; then the last word of each is put back', async () => {
    await serve([first]);
    expect(await tryAllVerdicts([first])).toEqual([]);
    const wrong = await differences([...migrated], async ([name, { shape, text }]) => {
      const now = made.get(name) ?? shape;
      const facts = factsOf(now, { annotations: { [FIRST_STATE]: text } });
      const back = judge(facts, NOTHING_BEHIND, { ...situation([first]), wanted: [first] });
      if (back.is !== 'Migrate') return differenceOf(`left as ${shapeText(now)}`, stored(shape), stored(now));
      const undone = await patch(cluster, name, back.change, null);
      if (undone.is === 'Stored') made.set(name, undone.shape);
      return differenceOf(`back to ${shapeText(shape)}`, stored(shape), undone);
    });
    expect(wrong).toEqual([]);
    expect(await patchAll([first])).toEqual([]);
    expect(await createAll([first], 'again')).toEqual([]);
  }, 300_000);

  const situation = (served: readonly Family[]): Situation => ({
    served: known(served),
    wanted: [first, second],
    migration: 'All',
    site: { cloud: null, minor: 36 },
  });

  /** Every Service that was made, in every situation that the rules know: the changes that they would make, each tried once. */
  async function tryAllVerdicts(served: readonly Family[]): Promise<readonly string[]> {
    const tries = new Map<string, readonly [name: string, shape: Shape, change: FamilyChange]>();
    for (const [name, shape] of made) {
      for (const { wanted, migration, label, policy } of ALL_WISHES) {
        const text = firstStateText({ policy: policy ?? 'SingleStack', families: shape.families.slice(0, 1) });
        const facts = factsOf(shape, {
          labels: label === null ? {} : { 'dualstack.dev/migrate': label },
          annotations: policy === null ? {} : { [FIRST_STATE]: text },
        });
        const verdict = judge(facts, NOTHING_BEHIND, { ...situation(served), wanted, migration });
        if (verdict.is === 'Migrate')
          tries.set(`${name} ${JSON.stringify(verdict.change)}`, [name, shape, verdict.change]);
      }
    }
    expect(tries.size).toBeGreaterThan(10);
    return differences([...tries.values()], async ([name, shape, change]) => {
      const answer = await tryPatch(cluster, name, change);
      const isMeant =
        answer.is === 'Stored' &&
        answer.shape.policy === change.policy &&
        answer.shape.families.join() === change.families.join() &&
        answer.shape.families[0] === shape.families[0] &&
        answer.shape.addresses.length === (shape.headless ? 0 : change.families.length);
      return isMeant ? null : `${shapeText(shape)} ← ${JSON.stringify(change)}: ${JSON.stringify(answer)}`;
    });
  }
});

const FIRST_STATE = 'dualstack.dev/first-state';
const ASKED = { 'dualstack.dev/migrate': 'true' };
const NOTHING_BEHIND = known({ slices: { IPv4: 0, IPv6: 0 }, endpoints: { IPv4: 0, IPv6: 0 }, pods: null });

/** All that may be wanted of a Service, and what it may have said before it was changed (null: it was not). */
const ALL_WISHES = SERVED.flatMap((wanted) =>
  (['None', 'Selected', 'All'] as const).flatMap((migration) =>
    (['true', 'false', null] as const).flatMap((label) =>
      ([null, 'SingleStack', 'PreferDualStack'] as const).map((policy) => ({ wanted, migration, label, policy })),
    ),
  ),
);

const isGivenBoth = (before: Shape, after: Shape): boolean =>
  after.families.length === 2 &&
  after.families[0] === before.families[0] &&
  after.addresses.length === (before.headless ? 0 : 2);

const stored = (shape: Shape): Extract<Answer, { is: 'Stored' }> => ({ is: 'Stored', shape });

const PLAIN: Asked = { type: 'ClusterIP', selector: true, headless: false, policy: null, families: [] };

async function differences<T>(
  items: readonly T[],
  look: (item: T, index: number) => Promise<string | null>,
): Promise<readonly string[]> {
  const found: string[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    // Each takes the next that is left.
    for (const [index, item] of rest) {
      const difference = await look(item, index);
      if (difference !== null) found.push(difference);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

/** All fields that a server complains of are in its answer; the one that was told beforehand has to be among them. */
type Seen = Extract<Answer, { is: 'Stored' }> | { readonly is: 'Refused'; readonly fields: readonly string[] };

function differenceOf(what: string, told: Answer, seen: Seen): string | null {
  const isSame =
    told.is === 'Refused'
      ? seen.is === 'Refused' && seen.fields.includes(told.field)
      : seen.is === 'Stored' && JSON.stringify(ordered(told.shape)) === JSON.stringify(ordered(seen.shape));
  return isSame ? null : `${what}: told ${JSON.stringify(told)}, seen ${JSON.stringify(seen)}`;
}

const ordered = ({ type, selector, headless, policy, families, addresses }: Shape) =>
  [type, selector, headless, policy, families, addresses] as const;

async function tryCreate(cluster: TestCluster, asked: Asked, name: string, dryRun: boolean): Promise<Seen> {
  const spec = {
    type: asked.type,
    ports: [{ port: 80 }],
    ...(asked.type === 'ExternalName' ? { externalName: 'example.org' } : {}),
    ...(asked.selector ? { selector: { app: 'web' } } : {}),
    ...(asked.headless ? { clusterIP: 'None', clusterIPs: ['None'] } : {}),
    ...(asked.policy === null ? {} : { ipFamilyPolicy: asked.policy }),
    ...(asked.families.length === 0 ? {} : { ipFamilies: asked.families }),
  };
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
  return toSeen(await cluster.api.send('POST', `${PATH}${dryRun ? '?dryRun=All' : ''}`, body));
}

async function tryPatch(cluster: TestCluster, name: string, { policy, families }: Change): Promise<Seen> {
  const spec = {
    ...(policy === undefined ? {} : { ipFamilyPolicy: policy }),
    ...(families === undefined ? {} : { ipFamilies: families }),
  };
  const path = `${PATH}/${name}?dryRun=All`;
  return toSeen(await cluster.api.send('PATCH', path, { spec }, MERGE_PATCH));
}

/** As this program does it: families and annotation in one request. */
async function patch(
  cluster: TestCluster,
  name: string,
  change: FamilyChange,
  firstState: string | null,
): Promise<Seen> {
  const body = {
    metadata: { annotations: { [FIRST_STATE]: firstState } },
    spec: { ipFamilyPolicy: change.policy, ipFamilies: change.families },
  };
  return toSeen(await cluster.api.send('PATCH', `${PATH}/${name}`, body, MERGE_PATCH));
}

const MERGE_PATCH = 'application/merge-patch+json';

function toSeen({ status, body }: { readonly status: number; readonly body: unknown }): Seen {
  if (status === 422) {
    const causes = asArray(at(body, 'details', 'causes'));
    return { is: 'Refused', fields: causes.flatMap((cause) => asString(at(cause, 'field')) ?? []) };
  }
  if (status !== 200 && status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
  const spec = at(body, 'spec');
  const families = (...path: string[]): readonly Family[] =>
    asArray(at(spec, ...path)).flatMap((text): Family[] => (text === 'IPv4' || text === 'IPv6' ? [text] : []));
  const addresses = asArray(at(spec, 'clusterIPs')).flatMap((ip) => asString(ip) ?? []);
  return {
    is: 'Stored',
    shape: {
      type: SERVICE_TYPES.find((type) => type === at(spec, 'type')) ?? 'ClusterIP',
      selector: Object.keys((at(spec, 'selector') as object | undefined) ?? {}).length > 0,
      headless: addresses.includes('None'),
      policy: POLICIES.find((policy) => policy === at(spec, 'ipFamilyPolicy')) ?? null,
      families: families('ipFamilies'),
      addresses: addresses.filter((ip) => ip !== 'None').map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4')),
    },
  };
}
