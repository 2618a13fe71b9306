// The built-in images: a tiny VM and a tiny container, made locally from the distribution's packages at the
// first start, so that everything works offline.
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltinImage } from '../control/image/index.ts';
import { run } from '../kernel/run.ts';

const TOOLS = join(import.meta.dirname, '..', '..', 'tools');

export async function prepareBuiltinImages(
  dataDir: string,
  say: (line: string) => void,
): Promise<BuiltinImage[]> {
  const dir = join(dataDir, 'builtin');
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const vm = join(dir, 'tiny.qcow2');
  const container = join(dir, 'tiny-container.tar');
  const limits = { timeoutMs: 300_000, env: { ...process.env, CACHE_DIR: join(dir, 'cache') } };
  if (!existsSync(vm)) {
    say('Making the built-in VM image …');
    const work = join(dir, 'work');
    await rm(work, { recursive: true, force: true });
    await mkdir(work);
    await run(['sh', join(TOOLS, 'tiny-image', 'build.sh'), work], limits);
    await rename(join(work, 'tiny.qcow2'), vm);
    await rm(work, { recursive: true, force: true });
  }
  if (!existsSync(container)) {
    say('Making the built-in container image …');
    await run(['sh', join(TOOLS, 'tiny-container', 'build.sh'), `${container}.tmp`], limits);
    await rename(`${container}.tmp`, container);
  }
  return [
    {
      name: 'tiny',
      path: vm,
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      minRam: 64,
      minDisk: 0,
      properties: {
        os_type: 'linux',
        os_distro: 'strata-tiny',
        architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
      },
    },
    {
      name: 'tiny-container',
      path: container,
      diskFormat: 'raw',
      containerFormat: 'docker',
      minRam: 16,
      minDisk: 0,
      properties: { os_type: 'linux', os_distro: 'strata-tiny', 'strata:type': 'container' },
    },
  ];
}
