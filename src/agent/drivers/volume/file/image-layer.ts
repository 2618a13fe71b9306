// An image as a frozen layer of volumes: a second name of the cached file, which stays when the cache forgets it.
import { existsSync } from 'node:fs';
import { chmod, copyFile, link, rm } from 'node:fs/promises';
import type { VolumeSource } from '../driver.ts';
import type { Layer } from './records.ts';

/** One layer an image, shared by all volumes that are made of it. */
export const imageLayerOf = (source: Extract<VolumeSource, { type: 'image' }>): Layer => ({
  id: `i${source.imageId.replace(/[^a-z0-9]/g, '').slice(0, 22)}`,
  format: source.format,
});

/** Takes no time where cache and volumes share a file system; else the file is copied. */
export async function keepImage(cached: string, path: string): Promise<void> {
  if (existsSync(path)) return;
  await link(cached, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return;
    await copyFile(cached, `${path}.part`);
    await link(`${path}.part`, path);
    await rm(`${path}.part`, { force: true });
  });
  await chmod(path, 0o444);
}
