import * as z from 'zod';
import { type Json, type JsonObject } from '../model/object.ts';
import { celMessage, type CelRule } from './cel.ts';
import { clusterStatusSchema } from './cluster-status.ts';
import { CATEGORY, CLUSTER, GROUP, NODE, type ResourceNames, VERSION } from './names.ts';
import { hostSettingsSchema, nodeStatusSchema } from './node.ts';
import { NODE_RULES } from './node-rules.ts';
import type { Rule } from './rule.ts';
import { CIDR_RULES, SPEC_RULES } from './rules.ts';
import { TRANSITION_RULES } from './transitions.ts';
import { clusterSpecSchema, type Vocabulary } from './vocabulary.ts';

/** A JSON schema while it is put together. */
interface Schema {
  [key: string]: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
}

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  /** 1: shown only with `-o wide`. */
  readonly priority?: number;
}

export function clusterCrd(vocabulary: Vocabulary): JsonObject {
  const spec = structural(clusterSpecSchema(vocabulary));
  for (const network of ['pods', 'services']) {
    addRules(descend(spec, 'clusterNetwork', network, 'cidrBlocks').items ?? {}, CIDR_RULES);
  }
  addRules(spec, [...SPEC_RULES, ...(vocabulary.rules ?? [])].map(toCelRule));
  const root = rootOf(
    'Turns the cluster into the IP families that it asks for.',
    spec,
    structural(clusterStatusSchema(vocabulary)),
  );
  addRules(root, TRANSITION_RULES);
  return crd(CLUSTER, root, [
    { name: 'Ready', type: 'string', jsonPath: conditionPath('Ready', 'status') },
    { name: 'Reason', type: 'string', jsonPath: conditionPath('Ready', 'reason') },
    { name: 'Dual', type: 'integer', jsonPath: '.status.nodes.dualStack', description: 'Nodes with both families' },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes.total', description: 'All Nodes' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Status', type: 'string', jsonPath: conditionPath('Ready', 'message'), priority: 1 },
  ]);
}

export function nodeCrd(): JsonObject {
  const spec = structural(hostSettingsSchema);
  addRules(spec, NODE_RULES);
  const root = rootOf(
    'What one host shall look like, and what it shows. One per Node, of the same name; made and kept by the operator.',
    spec,
    structural(nodeStatusSchema),
  );
  return crd(NODE, root, [
    { name: 'Node-IPs', type: 'string', jsonPath: '.spec.kubelet.nodeIPs', description: 'Addresses asked for' },
    { name: 'Applied', type: 'string', jsonPath: conditionPath('Applied', 'status') },
    { name: 'Healthy', type: 'string', jsonPath: conditionPath('Healthy', 'status') },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Status', type: 'string', jsonPath: conditionPath('Applied', 'message'), priority: 1 },
  ]);
}

function crd(names: ResourceNames, schema: Schema, columns: readonly Column[]): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Cluster',
      names: {
        kind: names.kind,
        listKind: `${names.kind}List`,
        plural: names.plural,
        singular: names.singular,
        shortNames: [names.shortName],
        categories: [CATEGORY],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns.map((column) => ({ ...column })),
          schema: { openAPIV3Schema: schema as Json },
        },
      ],
    },
  };
}

const conditionPath = (type: string, field: string): string => `.status.conditions[?(@.type=="${type}")].${field}`;

const rootOf = (description: string, spec: Schema, status: Schema): Schema => ({
  description,
  type: 'object',
  required: ['spec'],
  properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, spec, status },
});

/** The schema in the form that a CustomResourceDefinition takes. */
function structural(schema: z.ZodType): Schema {
  const made = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ jsonSchema }) => {
      const target = jsonSchema as Schema;
      // Objects with named fields: a server prunes what is not named, and refuses it when asked to be strict.
      if (target.properties !== undefined) delete target['additionalProperties'];
      // The server's own check of the format is the better one, and the pattern is long.
      if (target['format'] === 'date-time') delete target['pattern'];
      if (target['maximum'] === Number.MAX_SAFE_INTEGER) target['format'] = 'int64';
      if (target['maximum'] === Number.MAX_SAFE_INTEGER) delete target['maximum'];
    },
  });
  return made as Schema;
}

function addRules(schema: Schema, rules: readonly CelRule[]): void {
  const added = rules.map(({ rule, message, messageExpression, fieldPath }) => ({
    rule,
    message,
    ...(messageExpression === undefined ? {} : { messageExpression }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  }));
  schema['x-kubernetes-validations'] = added;
}

const toCelRule = ({ cel, celValue, message, fieldPath }: Rule): CelRule => ({
  rule: cel,
  message,
  messageExpression: celMessage(celValue, message),
  fieldPath,
});

/** The schema of a field below `schema`; that it is not there is a bug. */
function descend(schema: Schema, ...path: readonly string[]): Schema {
  return path.reduce((here, key) => {
    const next = here.properties?.[key];
    if (next === undefined) throw new Error(`the schema has no field ${path.join('.')}`);
    return next;
  }, schema);
}
