// When a guest's first userspace line is on its console, seen in the log file itself.
import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** The tiny images say this as the first thing that they do. */
const FIRST_LINE = 'userspace';

/** performance.now() when the line was there. */
export async function untilUserspace(file: string, seconds: number): Promise<number> {
  const limit = performance.now() + seconds * 1000;
  const buffer = Buffer.alloc(256 * 1024);
  for (;;) {
    try {
      const fd = openSync(file, 'r');
      try {
        if (buffer.toString('latin1', 0, readSync(fd, buffer)).includes(FIRST_LINE)) return performance.now();
      } finally {
        closeSync(fd);
      }
    } catch {
      // not made yet
    }
    if (performance.now() > limit) throw new Error(`${file}: no line of userspace after ${seconds} s`);
    await sleep(2);
  }
}
