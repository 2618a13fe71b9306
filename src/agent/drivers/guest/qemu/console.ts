// The screen and the serial line of a guest that runs: the unix sockets of its QEMU. What comes out of them goes to
// the guest's user and what that one types goes in, so they must be the guest's own sockets and nothing else.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { ConsoleKind, HostConsole } from '../../../../protocol/link.ts';
import { DriverError } from '../../errors.ts';
import { guestUid } from '../guest-user.ts';
import type { Folders } from './folder.ts';

/** open(2): a descriptor that only names the file, without opening what is behind it. Not among Node's constants. */
const O_PATH = 0o10000000;
const connectMs = 5_000;

/**
 * Connects to the very socket whose owner was looked at. The folder belongs to the guest's user: a link in it, or a
 * file that is exchanged in between, could lead to a socket that only root may use.
 */
async function connectOwned(path: string, uid: number): Promise<Socket> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(path, O_PATH | constants.O_NOFOLLOW);
    const file = await handle.stat();
    if (!file.isSocket() || file.uid !== uid) throw new Error(`${path} is not a socket of user ${uid}`);
    const socket = connect(`/proc/self/fd/${handle.fd}`);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.setTimeout(connectMs, () => reject(new Error(`${path} does not answer`)));
        socket.once('error', reject);
        socket.once('connect', resolve);
      });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    socket.setTimeout(0);
    return socket;
  } finally {
    await handle?.close();
  }
}

export function guestConsoles(folders: Folders) {
  const opened = new Set<Socket>();
  /** Who has the serial line of a guest. */
  const lines = new Map<string, Socket>();

  return {
    async open(id: string, kind: ConsoleKind): Promise<HostConsole> {
      if (kind === 'shell')
        throw new DriverError(
          'refused',
          `server ${id} is a virtual machine; it has no shell, only serial and vnc`,
        );
      const path = `${folders.runtime(id)}/${kind}.sock`;
      const bytes = await connectOwned(path, guestUid(id)).catch((error: unknown) => {
        throw new DriverError(
          'failed',
          `the ${kind} console of server ${id} cannot be reached; try again when the server runs`,
          String(error),
          error,
        );
      });
      opened.add(bytes);
      // It may be taken over before anybody hears what it says.
      bytes.on('error', () => {});
      if (kind === 'serial') {
        // QEMU serves one client and lets others wait until that one has gone.
        lines
          .get(id)
          ?.destroy(new DriverError('refused', `the serial console of server ${id} was opened elsewhere`));
        lines.set(id, bytes);
      }
      bytes.once('close', () => {
        opened.delete(bytes);
        if (lines.get(id) === bytes) lines.delete(id);
      });
      return { bytes, resize: () => {} };
    },
    close(): void {
      for (const bytes of opened) bytes.destroy();
    },
  };
}
