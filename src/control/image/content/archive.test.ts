// Container image archives: real layouts packed by hand, and hostile ones.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';

import { ArchiveError, type ArchiveInfo } from './archive-manifest.ts';
import { ARCHIVE_LIMITS, type ArchiveLimits, createArchiveCheck } from './archive.ts';

type Entry = [name: string, content: Buffer | string] | [header: Partial<Header> & { name: string }];

const sha = (content: Buffer | string): string => createHash('sha256').update(content).digest('hex');
const LAYER = await tarOf([
  ['bin/sh', 'a shell'],
  ['etc/hosts', '127.0.0.1'],
]);

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const packer = pack();
  const parts: Buffer[] = [];
  packer.on('data', (part) => parts.push(Buffer.from(part as Uint8Array)));
  for (const entry of entries) {
    if (entry.length === 1) packer.entry(entry[0], '');
    else packer.entry({ name: entry[0] }, entry[1]);
  }
  packer.finalize();
  await new Promise<void>((resolve) => packer.once('end', () => resolve()));
  return Buffer.concat(parts);
}

async function check(
  archive: Buffer,
  limits: ArchiveLimits = ARCHIVE_LIMITS,
  cuts: readonly number[] = [],
): Promise<ArchiveInfo> {
  const checker = createArchiveCheck(limits);
  let from = 0;
  for (const cut of [...cuts, archive.length]) {
    await checker.write(archive.subarray(from, from + cut));
    from += cut;
  }
  return checker.finish();
}

const config = (layers: readonly Buffer[], more: object = {}): string =>
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Entrypoint: null, Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha(layer)}`) },
    ...more,
  });

function dockerSave(
  change: (entries: Entry[]) => Entry[] = (entries) => entries,
  image = config([LAYER]),
): Promise<Buffer> {
  const manifest = JSON.stringify([
    { Config: `${sha(image)}.json`, RepoTags: ['tiny:latest'], Layers: ['aaa/layer.tar'] },
  ]);
  return tarOf(
    change([
      ['aaa/layer.tar', LAYER],
      [`${sha(image)}.json`, image],
      ['manifest.json', manifest],
    ]),
  );
}

function ociLayout(
  layer: Buffer,
  change: (entries: Entry[]) => Entry[] = (entries) => entries,
): Promise<Buffer> {
  const image = config([LAYER]);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: `sha256:${sha(image)}`,
      size: image.length,
    },
    layers: [{ digest: `sha256:${sha(layer)}`, size: layer.length }],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [{ digest: `sha256:${sha(manifest)}`, size: manifest.length }],
  });
  const entries: Entry[] = [
    ['oci-layout', '{"imageLayoutVersion":"1.0.0"}'],
    [`blobs/sha256/${sha(layer)}`, layer],
    [`blobs/sha256/${sha(image)}`, image],
    [`blobs/sha256/${sha(manifest)}`, manifest],
    ['index.json', index],
  ];
  return tarOf(change(entries));
}

const result = {
  configDigest: `sha256:${sha(config([LAYER]))}`,
  architecture: 'amd64',
  os: 'linux',
  layers: 1,
  uncompressedSize: LAYER.length,
  entrypoint: true,
};

describe('a sound archive', () => {
  it('by docker save is described, plain or compressed', async () => {
    const archive = await dockerSave();
    expect(await check(archive)).toEqual({ format: 'docker-archive', ...result });
    expect(await check(gzipSync(archive))).toEqual({ format: 'docker-archive', ...result });
  });

  it('may link equal layers, as docker save does', async () => {
    const archive = await dockerSave((entries) => [
      ['bbb/layer.tar', LAYER],
      [{ name: 'aaa/layer.tar', type: 'symlink', linkname: '../bbb/layer.tar' }],
      ...entries.slice(1),
    ]);
    expect(await check(archive)).toEqual({ format: 'docker-archive', ...result });
  });

  it('in OCI layout is described, its layers plain or compressed', async () => {
    expect(await check(await ociLayout(LAYER))).toEqual({ format: 'oci-archive', ...result });
    expect(await check(await ociLayout(gzipSync(LAYER)))).toEqual({ format: 'oci-archive', ...result });
  });

  it('gives the same result however it is cut', async () => {
    const archive = gzipSync(await ociLayout(gzipSync(LAYER)));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 20 }), async (cuts) => {
        expect(await check(archive, ARCHIVE_LIMITS, cuts)).toEqual({ format: 'oci-archive', ...result });
      }),
      { numRuns: 30 },
    );
  });
});

describe('a hostile archive', () => {
  const entry: readonly [what: string, entry: Entry, message: RegExp][] = [
    ['an absolute name', ['/etc/passwd', 'x'], /is absolute/],
    ['a name with ..', ['a/../../b', 'x'], /holds \.\./],
    ['a name with a newline', ['a\nb', 'x'], /control characters/],
    ['a very long name', ['a/'.repeat(400), 'x'], /longer than 512/],
    ['a symlink out of it', [{ name: 'a', type: 'symlink', linkname: '../x' }], /leads outside/],
    ['an absolute symlink', [{ name: 'a', type: 'symlink', linkname: '/etc/passwd' }], /leads outside/],
    ['a hard link out of it', [{ name: 'd/a', type: 'link', linkname: '../x' }], /leads outside/],
    ['a device', [{ name: 'a', type: 'character-device', devmajor: 1, devminor: 3 }], /is a character-device/],
    ['a fifo', [{ name: 'a', type: 'fifo' }], /is a fifo/],
    ['the same name twice', ['manifest.json', '[]'], /twice/],
    ['a blob that is not what its name says', [`blobs/sha256/${'0'.repeat(64)}`, 'x'], /must be the one it is named by/],
    ['broken gzip', ['b', Buffer.concat([gzipSync(Buffer.alloc(10_000)).subarray(0, 20), Buffer.alloc(20, 0xff)])], /not readable/],
  ]; // prettier-ignore
  it.each(entry)('with %s is refused', async (_what, bad, message) => {
    const archive = await dockerSave((entries) => [bad, ...entries]);
    const failure: unknown = await check(archive).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ArchiveError);
    expect(String(failure)).toMatch(message);
  });

  const contents: readonly [what: string, archive: () => Promise<Buffer>, message: RegExp][] = [
    ['nothing in it', () => tarOf([]), /neither manifest.json/],
    ['no layer', () => dockerSave((entries) => entries.slice(1)), /no file "aaa\/layer.tar"/],
    ['another layer', () => dockerSave((entries) => [['aaa/layer.tar', 'x'], ...entries.slice(1)]), /the config says/],
    ['no config', () => dockerSave((entries) => [...entries.slice(0, 1), ...entries.slice(2)]), /no file/],
    ['another config', () => dockerSave((e) => [...e.slice(0, 1), [String(e[1]?.[0]), '{}'], ...e.slice(2)]), /named by/],
    ['a config of another shape', () => dockerSave(undefined, '{"os":7}'), /config|json/],
    ['too few layers in the config', () => dockerSave(undefined, config([])), /lists 0 layers/],
    ['a manifest that is no JSON', () => dockerSave((e) => [...e.slice(0, 2), ['manifest.json', '[{']]), /not valid JSON/],
    ['a manifest of another shape', () => dockerSave((e) => [...e.slice(0, 2), ['manifest.json', '[{"Config":1}]']]), /manifest.json/],
    ['a manifest of 2 MiB', () => dockerSave((e) => [...e.slice(0, 2), ['manifest.json', `[${' '.repeat(2 ** 21)}]`]]), /at most 1 MiB/],
    ['two images', () => dockerSave((e) => [...e.slice(0, 2), ['manifest.json', '[{"Config":"a","Layers":["b"]},{"Config":"a","Layers":["b"]}]']]), /names 2 images/],
    ['links in a circle', () => dockerSave((e) => [[{ name: 'aaa/layer.tar', type: 'symlink', linkname: 'layer.tar' }], ...e.slice(1)]), /no file/],
    ['a missing OCI blob', () => ociLayout(LAYER, (e) => [...e.slice(0, 1), ...e.slice(2)]), /no file/],
    ['its end cut off', async () => (await dockerSave()).subarray(0, 2000), /not readable/],
    ['random bytes', async () => Buffer.alloc(4096, 7), /not readable/],
    ['no bytes', async () => Buffer.alloc(0), /empty/],
  ]; // prettier-ignore
  it.each(contents)('with %s is refused', async (_what, archive, message) => {
    const failure: unknown = await check(await archive()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ArchiveError);
    expect(String(failure)).toMatch(message);
  });

  it('that unpacks to too much is stopped while it passes, outside and inside', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));
    const limits = { ...ARCHIVE_LIMITS, maxUnpacked: 2 ** 20 };
    for (const archive of [bomb, await dockerSave((entries) => [['big', bomb], ...entries])]) {
      await expect(check(archive, limits)).rejects.toThrow('archive unpacks to more than 1048576 bytes');
    }
    await expect(check(gzipSync(Buffer.alloc(300 * 2 ** 20), { level: 1 }))).rejects.toThrow(
      '200 times its size',
    );
  });

  it('with too many entries is refused', async () => {
    const many = Array.from({ length: 20 }, (_, index): Entry => [`f${index}`, '']);
    await expect(
      check(await dockerSave((e) => [...many, ...e]), { ...ARCHIVE_LIMITS, maxEntries: 10 }),
    ).rejects.toThrow('more than 10 entries');
  });

  it('changed in any byte is refused with ArchiveError or means the same image', async () => {
    const archive = await ociLayout(gzipSync(LAYER));
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const copy = Buffer.from(archive);
        copy[at] = (copy[at] ?? 0) ^ flip;
        const outcome = await check(copy).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ArchiveError);
        else expect(outcome).toEqual({ format: 'oci-archive', ...result });
      }),
      { numRuns: 300 },
    );
  });
});
