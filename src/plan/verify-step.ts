import type { BoundPlugins } from '../model/bound.ts';
import type { ClusterFacts } from '../model/facts.ts';
import type { Proof } from '../model/outcome.ts';
import type { Step, StepState } from '../model/step.ts';
import type { Wanted } from '../model/wanted.ts';
import { fingerprintOf } from './canonical.ts';

/** A proof that failed is tried again after this. */
const AGAIN_AFTER_MS = 60_000;

/**
 * Satisfied while the last proof is about the cluster as it is now: its fingerprint covers families, networks and every component's
 * settings, so any change of these asks for a new proof.
 */
export function verifySteps(
  wanted: Wanted,
  facts: ClusterFacts,
  plugins: BoundPlugins,
  proof: Proof | null,
): readonly Step[] {
  if (wanted.verification === 'None') return [];
  const { families, pods, services } = wanted;
  const settings = [plugins.distribution, plugins.cni].flatMap((plugin) => plugin.components());
  const ranges = facts.serviceCIDR.known ? facts.serviceCIDR.value : [];
  const fingerprint = fingerprintOf({ families, pods, services, settings, ranges });
  return [
    {
      kind: 'Verify',
      id: 'verify/api',
      phase: 'Verify',
      group: 'verify',
      target: 'ServiceCIDR and Services of every policy',
      why: 'The result is proven on the live cluster: probe Services get the right addresses and EndpointSlices.',
      diff: [],
      state: stateOf(proof, fingerprint, facts.at),
      disrupts: null,
      timeoutSeconds: 300,
      families,
      fingerprint,
    },
  ];
}

function stateOf(proof: Proof | null, fingerprint: string, now: number): StepState {
  if (proof === null || proof.fingerprint !== fingerprint) return { is: 'Pending' };
  const wrong = proof.checks.filter((check) => !check.ok);
  if (wrong.length === 0) return { is: 'Satisfied', evidence: `${proof.checks.length} checks passed at ${proof.at}` };
  if (now - Date.parse(proof.at) > AGAIN_AFTER_MS) return { is: 'Pending' };
  return {
    is: 'Failed',
    why: `${wrong.length} of ${proof.checks.length} checks failed: ${wrong.map((check) => `${check.name}: ${check.detail}`).join('; ')}`,
    remedy: 'Mend what the check names; it is run again every minute.',
  };
}
