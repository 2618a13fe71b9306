// Content that leaves the host as a stream: written to a file first, which is gone as soon as the stream has it open.
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** `write` makes the file; `dir` is emptied by whoever starts the agent. */
export async function exported(dir: string, write: (path: string) => Promise<void>): Promise<Readable> {
  // Guests write their own disk there: they may enter, but not look around.
  await mkdir(dir, { recursive: true, mode: 0o711 });
  const path = join(dir, randomUUID());
  try {
    await write(path);
    return createReadStream(path, { fd: await open(path, 'r') });
  } finally {
    await rm(path, { force: true });
  }
}
