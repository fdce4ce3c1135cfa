import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { WAYS } from '../../src/model/support.ts';
import { supported } from '../../src/registry.ts';

/** What the support matrix stands on beside the conformance suites: tests that exist and are about the system they are named for. */

const at = (path: string): URL => new URL(`../../${path}`, import.meta.url);
const bare = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/gu, '');

const rows = Object.entries(supported).flatMap(([list, entries]) => entries.map((row) => ({ list, ...row })));
const named = rows.flatMap(({ list, name, ways }) =>
  WAYS.flatMap((way) => {
    const evidence = ways[way];
    return evidence.is === 'Refused' ? [] : [{ list, name, way, evidence }];
  }),
);

test.each(named)('$list, $name, $way: $evidence.test is there and about it', ({ name, evidence }) => {
  expect(evidence.test).toMatch(/^test\/.*\.test\.ts$/u);
  expect(bare(readFileSync(at(evidence.test), 'utf8'))).toContain(bare(name));
});

test.each(named.filter(({ evidence }) => evidence.is === 'Converted' && evidence.on === 'RealComponent'))(
  '$list, $name, $way: a real component needs a test that starts one',
  ({ evidence }) => expect(evidence.test).toMatch(/^test\/(e2e|api)\//u),
);

/** A test of the other way round would pass for it just as well. */
test.each(named.filter(({ way }) => way === 'IPv6ToDual'))(
  '$list, $name: $evidence.test begins with IPv6',
  ({ evidence }) => {
    expect(readFileSync(at(evidence.test), 'utf8')).toMatch(/'IPv6', 'IPv4'|primary: 'IPv6'|ipFamilies: \['IPv6'/u);
  },
);

test.each(rows)(
  '$list, $name: its page says how to see it, by a test that its cells name or the command that is refused',
  ({ page, ways }) => {
    const [, seeIt = ''] =
      /^## See it\n([^]*?)(?=^## |$(?![^]))/mu.exec(readFileSync(at(`docs/systems/${page}.md`), 'utf8')) ?? [];
    const commands = WAYS.map((way) => {
      const evidence = ways[way];
      return evidence.is === 'Refused' ? 'kubectl dualstack check' : evidence.test;
    });
    expect(seeIt).toMatch(/npm test -- |make e2e/u);
    expect(commands.filter((command) => seeIt.includes(command))).not.toEqual([]);
  },
);

test.each(rows)('$list, $name: it has a page', ({ page }) => {
  expect(existsSync(at(`docs/systems/${page}.md`))).toBe(true);
});
