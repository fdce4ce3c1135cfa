import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { watchAddresses } from './own-addresses.ts';
import type { AddressesChanged } from './own-addresses.ts';
import type { Pass, Passed } from './pass.ts';

/** Until the next pass, by what the last one came to. */
const WAIT_MS = { Busy: 500, Watching: 2_000, Idle: 10_000 } as const;
/** Events come in bursts: this long they are gathered. */
const GATHER_MS = 100;

interface LoopDeps {
  readonly pass: Pass;
  readonly alarm: Alarm;
  readonly addressesChanged: AddressesChanged;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error'>;
  /** Called after each pass. */
  readonly onTurn: () => void;
}

/** Pass after pass until the signal: sooner when the alarm rings, which a change of the host's addresses makes it do. */
export async function runLoop(deps: LoopDeps, signal: AbortSignal): Promise<void> {
  const { alarm, addressesChanged, clock } = deps;
  const watching = watchAddresses(addressesChanged, clock, alarm.ring, signal);
  while (!signal.aborted) {
    // What this pass sees by itself needs no other one.
    addressesChanged();
    const passed = await safely(deps);
    deps.onTurn();
    if (passed !== 'Again') await alarm.wait(WAIT_MS[passed], signal);
  }
  await watching;
}

/** A bug in one pass must not end the program that may have to undo an edit. */
async function safely({ pass, log }: LoopDeps): Promise<Passed> {
  try {
    return await pass();
  } catch (error) {
    log.error('a pass failed', { problem: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    return 'Busy';
  }
}

interface Alarm {
  readonly ring: () => void;
  /** Until it rings, the time is over or the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export function makeAlarm(clock: Clock): Alarm {
  let rung = false;
  let waiting: AbortController | null = null;
  return {
    ring: () => {
      rung = true;
      waiting?.abort();
    },
    async wait(milliseconds, signal) {
      waiting = new AbortController();
      if (!rung) await clock.sleep(milliseconds, AbortSignal.any([signal, waiting.signal]));
      if (rung) await clock.sleep(GATHER_MS, signal);
      rung = false;
    },
  };
}
