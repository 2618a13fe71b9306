// Compresses what was built once, so that serving it costs no time.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const squeeze = promisify(gzip);
const worthwhile = /\.(?:js|css|svg|json)$/;

/** Writes a `.gz` beside every asset that is text. */
export const compressed = (): Plugin => ({
  name: 'compressed',
  apply: 'build',
  async writeBundle({ dir }) {
    if (dir === undefined) return;
    const assets = join(dir, 'assets');
    const names = (await readdir(assets)).filter((name) => worthwhile.test(name));
    await Promise.all(
      names.map(async (name) => {
        const path = join(assets, name);
        await writeFile(`${path}.gz`, await squeeze(await readFile(path), { level: 9 }));
      }),
    );
  },
});
