import { type Clock, sleepWith, systemClock } from '../../src/runtime/clock.ts';

/** Real time, run through faster: for components that talk to real sockets but wait for seconds in between. */
export function hastyClock(timesFaster: number): Clock {
  const clock: Clock = {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * timesFaster,
    sleep: (milliseconds, signal) => sleepWith(clock, milliseconds, signal),
    setTimeout: (run, milliseconds) => systemClock.setTimeout(run, milliseconds / timesFaster),
  };
  return clock;
}
