import type { Outcome } from '../model/outcome.ts';
import { servicePacketsText } from '../services/packets.ts';

/** For the log, in a few words. */
export const outcomeText = (outcome: Outcome): string => {
  switch (outcome.is) {
    case 'Changed':
      return outcome.what;
    case 'Unchanged':
      return outcome.why ?? 'nothing to do';
    case 'Proven':
      return `${outcome.proof.checks.filter((check) => check.ok).length} of ${outcome.proof.checks.length} checks passed`;
    case 'Probed': {
      const { total, failed } = outcome.connectivity.checks;
      return `${total - failed} of ${total} checks with packets passed`;
    }
    case 'Asked':
      return servicePacketsText(outcome.packets);
    case 'Refused':
      return outcome.error.message;
  }
};
