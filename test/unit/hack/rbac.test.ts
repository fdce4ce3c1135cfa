import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { workloadsPolicy } from '../../../hack/admission.ts';
import { rbacFiles } from '../../../hack/rbac.ts';
import { at } from '../../../src/model/object.ts';
import { agentPermissions, operatorPermissions } from '../../../src/permissions.ts';

const files = Object.entries(rbacFiles());

test.each(files)('%s is what the sources say (else: node hack/generate-rbac.ts)', (name, text) => {
  expect(readFileSync(new URL(`../../../config/rbac/${name}`, import.meta.url), 'utf8')).toBe(text);
});

test('the policy about workloads has the lists of the plug-ins (else: node hack/generate-rbac.ts)', () => {
  const text = readFileSync(new URL('../../../config/admission/workloads.yaml', import.meta.url), 'utf8');
  expect(workloadsPolicy(text)).toBe(text);
  expect(workloadsPolicy(text.replace("['POD_SUBNET']", '[]'))).toBe(text);
  expect(() => workloadsPolicy(text.replace('- name: environment', '- name: other'))).toThrow('environment');
});

test('each permission becomes one rule, with its reason', () => {
  const rules = files.flatMap(([, text]) =>
    parseAllDocuments(text).flatMap((document) => (at(document.toJS(), 'rules') as unknown[] | undefined) ?? []),
  );
  expect(rules).toHaveLength(operatorPermissions.length + agentPermissions.length);
  for (const { why } of operatorPermissions) expect(rbacFiles()['operator-roles.yaml']).toContain(`# ${why}\n`);
});

test('nothing is granted wholesale, and Secrets only where the records are', () => {
  for (const permission of [...operatorPermissions, ...agentPermissions]) {
    const { apiGroups, resources, verbs } = permission;
    expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
    if (resources.includes('secrets')) expect(permission).toMatchObject({ namespace: 'dualstack-system' });
  }
});
