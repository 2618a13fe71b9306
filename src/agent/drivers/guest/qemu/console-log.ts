// The console log of a guest: QEMU appends to it, we cap and read it. A guest may write without end, so
// that no read and no file may grow with it.
import { open, rename, stat, truncate, writeFile } from 'node:fs/promises';

export const maxLogBytes = 16 * 1024 * 1024;
/** The most that is kept across a cut, and the most that is ever returned. */
const keptBytes = 1024 * 1024;

async function tail(path: string, bytes: number): Promise<Buffer> {
  let file;
  try {
    file = await open(path, 'r');
  } catch {
    return Buffer.alloc(0); // never started
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytes);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Cuts a log that has grown too large down to its end. What the guest writes in between is lost. */
export async function capLog(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= maxLogBytes) return;
  await writeFile(`${path}.old.new`, await tail(path, keptBytes), { mode: 0o600 });
  await rename(`${path}.old.new`, `${path}.old`);
  await truncate(path); // QEMU holds the file open for appending, so it continues at the start
}

/** The last `lines` lines; null: all that is kept, at most 1 MiB. */
export async function readLog(path: string, lines: number | null): Promise<string> {
  if (lines !== null && lines <= 0) return '';
  const recent = await tail(path, keptBytes);
  const older =
    recent.length < keptBytes ? await tail(`${path}.old`, keptBytes - recent.length) : Buffer.alloc(0);
  const text = Buffer.concat([older, recent]).toString('utf8');
  if (lines === null) return text;
  let from = text.endsWith('\n') ? text.length - 1 : text.length;
  for (let line = 0; line < lines && from >= 0; line += 1)
    from = from === 0 ? -1 : text.lastIndexOf('\n', from - 1);
  return text.slice(from + 1);
}
