import { createClient } from 'dbus-native';
import type { MessageBus } from 'dbus-native';
import { err, ok } from '../result.ts';
import type { Result } from '../result.ts';
import type { RestartService } from './act.ts';
import type { HostFiles } from './files.ts';

/** Where systemd listens, by itself and behind the bus. */
export const SYSTEM_BUS = '/run/dbus/system_bus_socket';
const MANAGER = {
  destination: 'org.freedesktop.systemd1',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const;

const ANSWERED_WITHIN_MS = 20_000;

/** Restarts a unit through systemd's D-Bus interface: a socket is all that the agent needs to see of the host's init. */
export function makeRestartService(files: HostFiles, unit: string): RestartService {
  return async ({ reloadUnits }) => {
    const socket = files.onDisk(SYSTEM_BUS);
    if (!files.exists(SYSTEM_BUS)) {
      return err(
        `${unit} cannot be restarted: ${SYSTEM_BUS} is not there. Mount it into the agent, or restart ${unit} by hand`,
      );
    }
    const called = await onBus(socket, ANSWERED_WITHIN_MS, async (bus) => {
      if (reloadUnits) await bus.invoke({ ...MANAGER, member: 'Reload' });
      await bus.invoke({ ...MANAGER, member: 'RestartUnit', signature: 'ss', body: [unit, 'replace'] });
    });
    return called.ok
      ? called
      : err(`${unit} cannot be restarted: ${called.error}. Restart it by hand: systemctl restart ${unit}`);
  };
}

/** One connection for one piece of work; it is closed whatever happens. */
async function onBus(
  socket: string,
  timeoutMs: number,
  work: (bus: MessageBus) => Promise<void>,
): Promise<Result<void, string>> {
  const bus = createClient({ socket, authMethods: ['EXTERNAL'], timeout: timeoutMs });
  const broken = new Promise<never>((_, reject) => {
    bus.connection.on('error', reject);
    bus.connection.on('close', (cause?: Error) => reject(cause ?? new Error('the bus closed the connection')));
  });
  // Who loses the race below must not count as an unhandled rejection.
  broken.catch(() => undefined);
  try {
    await Promise.race([work(bus), broken]);
    return ok(undefined);
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  } finally {
    bus.connection.end();
  }
}
