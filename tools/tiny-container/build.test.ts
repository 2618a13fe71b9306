// The built-in container image: the same bytes each time, and an archive as of `docker save`.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/kernel/run.ts';

const script = join(import.meta.dirname, 'build.sh');
const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

test('two builds give the same archive, whose config names the digest of its one layer', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'strata-tiny-'));
  try {
    const outs = ['a.tar', 'b.tar'].map((name) => join(dir, name));
    for (const out of outs) await run([script, out]);
    const [first, second] = await Promise.all(outs.map((out) => readFile(out)));
    expect(sha256(first ?? '')).toBe(sha256(second ?? ''));

    await run(['tar', '-C', dir, '-xf', join(dir, 'a.tar')]);
    const manifest: unknown = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8'));
    expect(manifest).toEqual([
      {
        Config: expect.stringMatching(/^[0-9a-f]{64}\.json$/),
        RepoTags: ['localhost/strata-tiny:latest'],
        Layers: [expect.stringMatching(/^[0-9a-f]{64}\.tar$/)],
      },
    ]);
    const [image] = manifest as [{ Config: string; Layers: [string] }];
    const config = await readFile(join(dir, image.Config));
    const layer = await readFile(join(dir, image.Layers[0]));
    expect(image.Config).toBe(`${sha256(config)}.json`);
    expect(JSON.parse(config.toString())).toMatchObject({
      os: 'linux',
      config: { Cmd: ['/init'] },
      rootfs: { diff_ids: [`sha256:${sha256(layer)}`] },
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('a missing busybox is named with its Debian package', async () => {
  const env = { ...process.env, BUSYBOX: '/nowhere/busybox' };
  await expect(run([script, '/dev/null'], { env })).rejects.toThrow(/Debian package busybox-static/);
});
