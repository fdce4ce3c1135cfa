import { stringify } from 'yaml';
import type { ClusterFacts, NodeFacts } from '../../model/facts.ts';
import { nodeIPHandoffs } from '../../model/node-ip-handoff.ts';
import type { Step } from '../../model/step.ts';
import type { Wanted } from '../../model/wanted.ts';
import { restartText } from './handoff.ts';

/**
 * One step for each node, workers first: its kubelet is told both addresses. k0s gives the kubelet its arguments from those of its own service, which
 * differ from host to host, so it is the user's to do. It comes before dual-stack is switched on: from then on a k0s that is not told works the addresses out
 * of the host's name, and does not start where that has only one (k0s docs: dual-stack, auto-detection).
 */
export const nodeSteps = (wanted: Wanted, facts: ClusterFacts): readonly Step[] =>
  nodeIPHandoffs(wanted, facts, (node, nodeIP) => {
    const service = runsController(node) ? 'k0scontroller' : 'k0sworker';
    const argument = `--kubelet-extra-args=--node-ip=${nodeIP}`;
    return {
      command: `on ${node.name}: give ${service} the argument ${argument} (beside what --kubelet-extra-args has there already): systemctl edit --full ${service}; then ${restartText(service)}. With k0sctl: add it to installFlags of that host and run k0sctl apply --config k0sctl.yaml.`,
      interrupts: `the kubelet and containerd on ${node.name} restart; its pods go on, Services may leave them out for some seconds`,
      snippets: [
        { file: `k0sctl.yaml, host ${node.name}`, text: `${ONE_ONLY}${stringify({ installFlags: [argument] })}` },
      ],
    };
  });

const ONE_ONLY = `# Where the host has --kubelet-extra-args already, add --node-ip to that one and write no second:
# k0s takes the last alone, and the kubelet would lose the other arguments.
`;

const runsController = ({ controlPlane, agent }: NodeFacts): boolean =>
  controlPlane || agent?.report?.k0s !== undefined;
