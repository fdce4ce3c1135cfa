import type { PerFamily } from '../net/family.ts';
import type { PodFacts } from '../model/facts.ts';
import type { Plugin } from '../model/plugin.ts';
import type { Known } from '../model/reader.ts';

/** A way to run a control plane. Its steps belong to the phases NodeIPs, APIServer, ControllerManager, ClusterConfig and Proxy. */
export interface Distribution<Own> extends Plugin<Own> {
  readonly defaultNodeMask: Required<PerFamily<number>>;
  /** Who runs the control plane chooses the networks of an added family, and shows none of pods: nobody is asked for networks. */
  readonly choosesNetworks?: true;
  /** What the control plane runs with, primary first; unknown where components disagree or cannot be read. */
  network(own: Own): {
    readonly pods: Known<readonly string[]>;
    readonly services: Known<readonly string[]>;
    readonly nodeMask: PerFamily<number>;
  };
  /** Pods on the network of their hosts, one for each node where there is one: they show which addresses of it pods are told. */
  hostPods?(own: Own): readonly PodFacts[];
}
