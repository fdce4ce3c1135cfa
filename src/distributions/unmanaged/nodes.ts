import type { ClusterFacts } from '../../model/facts.ts';
import { nodeIPHandoffs } from '../../model/node-ip-handoff.ts';
import type { Step } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { gateFlags } from './flags.ts';

/** `--node-ip` is a flag alone: KubeletConfiguration has no such field. It takes a pair since 1.20 (github.com/kubernetes/kubernetes/pull/95239). */
export const nodeSteps = (wanted: Wanted, facts: ClusterFacts): readonly Step[] =>
  nodeIPHandoffs(wanted, facts, (node, nodeIP) => {
    const live = node.agent?.report?.kubelet.running?.args ?? null;
    const gate = gateFlags(node.kubeletVersion, wanted.families.length > 1, live)['feature-gates'];
    const flags = [`--node-ip=${nodeIP}`, ...(gate == null ? [] : [`--feature-gates=${gate}`])];
    return {
      command: `on ${node.name}: start the kubelet with ${flags.join(' ')} beside the flags that it has; one node at a time`,
      interrupts: `the kubelet on ${node.name} restarts; its pods go on, Services may leave them out for some seconds`,
      snippets: [{ file: `arguments of the kubelet on ${node.name}`, text: `${flags.join('\n')}\n` }],
    };
  });
