// The config drive: what the metadata service would tell a guest, as files. A virtual machine gets them as a CD with the
// label that cloud-init looks for, a container as a folder.
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../../kernel/run.ts';
import { DriverError } from '../errors.ts';

/** `path`: relative, of letters, digits, '.', '_', '-' and '/'. */
export type ConfigFile = { path: string; content: Buffer };

const safePath = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

async function writeFiles(dir: string, files: readonly ConfigFile[]): Promise<void> {
  for (const { path, content } of files) {
    if (!safePath.test(path))
      throw new DriverError('refused', `config drive: ${JSON.stringify(path)} is no path`);
    await mkdir(dirname(join(dir, path)), { recursive: true, mode: 0o755 });
    await writeFile(join(dir, path), content, { mode: 0o644 });
  }
}

/** Replaces the file at `target`, an ISO 9660 volume with the label config-2. */
export async function makeConfigImage(target: string, files: readonly ConfigFile[]): Promise<void> {
  const work = await mkdtemp(`${target}.`);
  try {
    await writeFiles(join(work, 'files'), files);
    const image = join(work, 'image');
    await run(
      [
        'genisoimage',
        '-quiet',
        '-o',
        image,
        '-ldots',
        '-allow-lowercase',
        '-allow-multidot',
        '-l',
        '-publisher',
        'Strata',
        '-J',
        '-r',
        '-V',
        'config-2',
        join(work, 'files'),
      ],
      { timeoutMs: 60_000 },
    );
    await rename(image, target);
  } catch (error) {
    if (error instanceof DriverError) throw error;
    throw new DriverError(
      'failed',
      'the config drive cannot be made; is genisoimage installed on this host?',
      String(error),
      error,
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Replaces what is in the folder, which stays the same folder: a container may have it mounted. */
export async function fillConfigFolder(target: string, files: readonly ConfigFile[]): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o755 });
  const fresh = `${target}.${randomUUID()}`;
  try {
    await writeFiles(fresh, files);
    for (const name of new Set(files.map(({ path }) => path.split('/')[0] ?? ''))) {
      await rm(join(target, name), { recursive: true, force: true });
      await rename(join(fresh, name), join(target, name));
    }
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
