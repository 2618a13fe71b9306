// Keeps one QMP connection per running guest: its events are the driver's wake-ups, and its end is the
// death of the guest.
import type { Clock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import type { Folders } from './folder.ts';
import { incarnationOf, type GuestProcess } from './process.ts';
import { connectQmp, type Qmp } from './qmp.ts';

export type Monitors = {
  /** The connection to this incarnation. Throws DriverError when it cannot be had. */
  connect(id: string, target: GuestProcess): Promise<Qmp>;
  /** The same, for a guest that may still be starting: keeps trying until `gone` or the time is over. */
  reach(id: string, target: GuestProcess, limitMs: number, gone: () => boolean): Promise<Qmp>;
  drop(id: string): void;
  /** The guests that have a connection. */
  ids(): string[];
  close(): void;
};

const news = new Set([
  'STOP',
  'RESUME',
  'SHUTDOWN',
  'RESET',
  'SUSPEND',
  'WAKEUP',
  'GUEST_PANICKED',
  'BLOCK_IO_ERROR',
]);

export function guestMonitors(
  folders: Folders,
  clock: Clock,
  hooks: { changed: (id: string) => void; poweredOff: (id: string) => void; first: () => void },
): Monitors {
  const held = new Map<string, { incarnation: string; qmp: Promise<Qmp> }>();
  let over = false;

  const forget = (id: string, incarnation: string): void => {
    if (held.get(id)?.incarnation === incarnation) held.delete(id);
  };

  const open = (
    id: string,
    target: GuestProcess,
    wait: { connectMs?: number; abort?: () => boolean },
  ): Promise<Qmp> => {
    const incarnation = incarnationOf(target);
    const current = held.get(id);
    // A monitor serves one client and lets others wait: whoever comes second shares the first connection.
    if (current?.incarnation === incarnation) return current.qmp;
    if (current !== undefined) void current.qmp.then((old) => old.close()).catch(() => {});
    const path = `${folders.runtime(id)}/qmp.sock`;
    const qmp = connectQmp(path, {
      clock,
      ...wait,
      onEvent: ({ event, data }) => {
        if (event === 'SHUTDOWN' && data['guest'] === true) hooks.poweredOff(id);
        if (news.has(event)) hooks.changed(id);
      },
      onClose: () => {
        forget(id, incarnation);
        hooks.changed(id);
      },
    }).then(async (connected) => {
      // The folder belongs to the guest's own user: a link in it could lead to another guest's monitor.
      const answer = await connected.execute('query-uuid').catch(() => null);
      if (JSON.stringify(answer) === JSON.stringify({ UUID: id }) && !over) return connected;
      connected.close();
      throw new DriverError('failed', `the monitor of server ${id} is not its own`, JSON.stringify(answer));
    });
    held.set(id, { incarnation, qmp });
    qmp.catch(() => forget(id, incarnation));
    if (held.size === 1) hooks.first();
    return qmp;
  };

  return {
    connect: (id, target) => open(id, target, {}),
    reach(id, target, limitMs, gone) {
      const wait = { connectMs: limitMs, abort: gone };
      const shared = held.get(id)?.incarnation === incarnationOf(target);
      return open(id, target, wait).catch((error: unknown) => {
        // the attempt was one that a concurrent `connect` had begun, which does not wait
        if (shared && !gone()) return open(id, target, wait);
        throw error;
      });
    },
    drop(id) {
      const current = held.get(id);
      held.delete(id);
      void current?.qmp.then((qmp) => qmp.close()).catch(() => {});
    },
    ids: () => [...held.keys()],
    close() {
      over = true;
      for (const { qmp } of held.values()) void qmp.then((connected) => connected.close()).catch(() => {});
      held.clear();
    },
  };
}
