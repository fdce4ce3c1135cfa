import type { CNI } from '../../src/cni/contract.ts';
import type { KubeObject } from '../../src/model/object.ts';

/** What a file in `cnis` exports as `scene`: one network plug-in, and clusters for it. Written in the plug-in's own types by `sceneOf`. */
export interface Scene {
  readonly cni: CNI<unknown>;
  /** Its part of the facts: clusters with work to do, first of all, and with none. */
  readonly facts: readonly unknown[];
  /** Objects of the names and kinds that it reads, with nothing in them. */
  readonly bare: readonly KubeObject[];
}

/** The own type of facts is hidden here, so that scenes of all plug-ins are of one type. */
export const sceneOf = <Own>(cni: CNI<Own>, facts: readonly Own[], bare: readonly KubeObject[] = []): Scene => ({
  cni: cni as unknown as CNI<unknown>,
  facts,
  bare,
});

export const bare = (apiVersion: string, kind: string, name: string, namespace = 'kube-system'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
});
