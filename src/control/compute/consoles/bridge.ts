// Between a WebSocket and a console of a host: bytes both ways, and neither side is read faster than the other takes.
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { WebSocket } from 'ws';
import { HOST_ERROR, type HostConsole } from '../../../protocol/link.ts';

/** Bytes on their way to the client at which the guest is not read any more, and at which it is again. */
const HIGH = 1024 * 1024;
const LOW = 256 * 1024;
/** Bytes of a close frame's reason: RFC 6455, 5.5. */
const MAX_REASON = 123;

const side = Type.Integer({ minimum: 1, maximum: 1_000 });
const windowSize = Compile(Type.Object({ columns: side, rows: side }, { additionalProperties: false }));

/** The size that a text frame says; null: it says none, and is what somebody types. */
function sizeIn(data: Buffer): { columns: number; rows: number } | null {
  if (data.length > 100 || data[0] !== 0x7b) return null;
  try {
    const value: unknown = JSON.parse(data.toString());
    return windowSize.Check(value) ? value : null;
  } catch {
    return null;
  }
}

/** Ends a WebSocket with a reason, cut to what a close frame holds. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  let text = reason;
  while (Buffer.byteLength(text) > MAX_REASON) text = text.slice(0, -1);
  socket.close(code, text);
}

/**
 * `active`: something passed. `ended`, once: the console has ended, with the reason for its user where there is one;
 * null: it ended as consoles do. The console is closed with the WebSocket.
 */
export function bridge(
  socket: WebSocket,
  { bytes, resize }: HostConsole,
  hooks: { active(): void; ended(reason: string | null): void },
): void {
  let over = false;
  const end = (reason: string | null): void => {
    if (over) return;
    over = true;
    hooks.ended(reason);
  };
  bytes.on('data', (chunk: Buffer) => {
    hooks.active();
    socket.send(chunk, { binary: true }, (failed) => {
      if (failed) bytes.destroy();
      else if (bytes.isPaused() && socket.bufferedAmount <= LOW) bytes.resume();
    });
    if (socket.bufferedAmount > HIGH) bytes.pause();
  });
  bytes.once('error', (error) => end(error.name === HOST_ERROR ? error.message : 'the console was lost'));
  bytes.once('close', () => end(null));
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    hooks.active();
    const size = isBinary ? null : sizeIn(data);
    if (size !== null) resize(size.columns, size.rows);
    else if (!bytes.destroyed && !bytes.write(data)) {
      socket.pause();
      bytes.once('drain', () => socket.resume());
    }
  });
  socket.once('close', () => bytes.destroy());
}
