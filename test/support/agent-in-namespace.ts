import { hostFiles } from '../../src/agent/files.ts';
import { makeAlarm, runLoop } from '../../src/agent/loop.ts';
import { ownInterfaces } from '../../src/agent/netfs.ts';
import { makeAddressesChanged } from '../../src/agent/own-addresses.ts';
import { makePass, type OwnObject } from '../../src/agent/pass.ts';
import { noShortener } from '../../src/agent/shorten.ts';
import { WATCH_DEFAULTS } from '../../src/agent/watch.ts';
import { err, ok } from '../../src/result.ts';
import { systemClock } from '../../src/runtime/clock.ts';

/** A whole agent on the network and the processes of the namespaces in which it runs, asked for nothing. Prints each status that it would write, a line each. */
const files = hostFiles(process.argv[2] ?? '');
const alarm = makeAlarm(systemClock);
let object: OwnObject = { name: 'worker-1', generation: 1, spec: {}, status: {} };

const askedForNothing = () => Promise.resolve(err('it is asked for nothing'));

const pass = makePass({
  files,
  node: {
    current: () => object,
    writeStatus: (status) => {
      const text = JSON.stringify(status);
      object = { ...object, status: JSON.parse(text) as unknown };
      process.stdout.write(`${text}\n`);
      return Promise.resolve(ok(object));
    },
  },
  ask: () => Promise.resolve(null),
  interfaces: ownInterfaces,
  restart: { kubelet: askedForNothing, k0s: askedForNothing },
  shortener: noShortener,
  pause: (milliseconds) => systemClock.sleep(milliseconds),
  now: () => systemClock.now(),
  options: WATCH_DEFAULTS,
  log: () => undefined,
});

// It looks at processes every 10 s only: a hang-up has it look at once.
process.on('SIGHUP', alarm.ring);

await runLoop(
  {
    pass,
    alarm,
    addressesChanged: makeAddressesChanged(files, ownInterfaces),
    clock: systemClock,
    log: { error: (message, detail) => process.stderr.write(`${message} ${JSON.stringify(detail)}\n`) },
    onTurn: () => undefined,
  },
  new AbortController().signal,
);
