import { GROUP, NODE } from '../api/names.ts';
import type { Permission } from '../model/plugin.ts';

/** All that an agent may do in the API. An admission policy narrows the writing down to the object of its own node. */
export const AGENT_PERMISSIONS: readonly Permission[] = [
  {
    why: 'The agent watches what is asked of its node.',
    apiGroups: [GROUP],
    resources: [NODE.plural],
    verbs: ['get', 'list', 'watch'],
  },
  {
    why: 'The agent reports what its node shows.',
    apiGroups: [GROUP],
    resources: [`${NODE.plural}/status`],
    verbs: ['patch'],
  },
];
