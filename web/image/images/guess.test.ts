// What users upload, by its first bytes.
import { describe, expect, test } from 'vitest';
import { guess, nameOf, type Source } from './guess.ts';

const fileOf = (name: string, content: Uint8Array): Source => ({
  name,
  size: content.length,
  read: async (offset, length) => content.subarray(offset, offset + length),
});

/** `parts` lie at their offsets in zeros. */
function bytes(size: number, parts: Readonly<Record<number, string | Uint8Array>>): Uint8Array {
  const content = new Uint8Array(size);
  for (const [at, part] of Object.entries(parts))
    content.set(typeof part === 'string' ? Uint8Array.from(part, (c) => c.charCodeAt(0)) : part, Number(at));
  return content;
}

const big = (value: number): Uint8Array => {
  const buffer = new Uint8Array(8);
  new DataView(buffer.buffer).setBigUint64(0, BigInt(value));
  return buffer;
};
const little = (value: number): Uint8Array => big(value).toReversed();

/** Entries with their sizes; contents are zeros. */
function tar(entries: readonly (readonly [name: string, size: number])[]): Uint8Array {
  const blocks = entries.map(([name, size]) => {
    const padded = Math.ceil(size / 512) * 512;
    return bytes(512 + padded, { 0: name, 124: `${size.toString(8).padStart(11, '0')}\0`, 257: 'ustar\0' });
  });
  return Uint8Array.from([...blocks.flatMap((block) => [...block]), ...new Uint8Array(1024)]);
}

const GIB = 1024 ** 3;

describe('what a file is', () => {
  test('a qcow2 says the size of its disk', async () => {
    const content = bytes(4096, { 0: 'QFI\xfb', 24: big(10 * GIB) });
    expect(await guess(fileOf('anything.bin', content))).toEqual({
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      virtualSize: 10 * GIB,
      certain: true,
      warning: null,
    });
  });

  test('a qcow2 that needs another file, or a key, is warned of', async () => {
    const backed = bytes(4096, { 0: 'QFI\xfb', 8: big(512), 24: big(GIB) });
    const encrypted = bytes(4096, { 0: 'QFI\xfb', 24: big(GIB), 32: '\0\0\0\x02' });
    expect((await guess(fileOf('a.qcow2', backed))).warning).toBe('backing');
    expect((await guess(fileOf('a.qcow2', encrypted))).warning).toBe('encrypted');
  });

  test.each([
    ['vmdk', bytes(1024, { 0: 'KDMV', 12: little(2048) }), 2048 * 512],
    ['vdi', bytes(1024, { 0x40: '\x7f\x10\xda\xbe', 0x170: little(GIB) }), GIB],
    ['vhdx', bytes(1024, { 0: 'vhdxfile' }), null],
    ['vhd', bytes(4096, { [4096 - 512]: 'conectix', [4096 - 512 + 48]: big(GIB) }), GIB],
    ['iso', bytes(40_000, { 0x8001: 'CD001', 510: '\x55\xaa' }), 40_000],
    ['raw', bytes(2048, { 510: '\x55\xaa' }), 2048],
  ])('%s is known by its content, whatever its name', async (format, content, virtualSize) => {
    expect(await guess(fileOf('download', content))).toMatchObject({
      diskFormat: format,
      containerFormat: 'bare',
      virtualSize,
      certain: true,
      warning: null,
    });
  });

  test.each([
    [
      'docker save',
      tar([
        ['0123/layer.tar', 3000],
        ['manifest.json', 20],
      ]),
    ],
    [
      'podman save',
      tar([
        ['abc.tar', 512],
        ['manifest.json', 20],
        ['repositories', 1],
      ]),
    ],
    [
      'an OCI archive',
      tar([
        ['blobs/', 0],
        ['blobs/sha256/abc', 700],
        ['./oci-layout', 30],
      ]),
    ],
  ])('what %s writes is a container image', async (_, content) => {
    expect(await guess(fileOf('image.tar', content))).toMatchObject({
      diskFormat: 'raw',
      containerFormat: 'docker',
      warning: null,
    });
  });

  test('other archives are no server', async () => {
    expect(
      await guess(
        fileOf(
          'x.ova',
          tar([
            ['x.ovf', 100],
            ['x.vmdk', 100],
          ]),
        ),
      ),
    ).toMatchObject({
      diskFormat: 'vmdk',
      containerFormat: 'ova',
      warning: 'unbootable',
    });
    expect((await guess(fileOf('x.tar', tar([['etc/passwd', 10]])))).warning).toBe('unbootable');
  });

  test('what is compressed must be unpacked first', async () => {
    for (const magic of ['\x1f\x8b', '\xfd7zXZ\0', '(\xb5/\xfd', 'PK\x03\x04'])
      expect(await guess(fileOf('debian.qcow2.xz', bytes(600, { 0: magic })))).toMatchObject({
        diskFormat: 'qcow2',
        warning: 'compressed',
      });
  });

  test('where the content does not tell, the name does', async () => {
    expect(await guess(fileOf('boot.iso', bytes(600, {})))).toMatchObject({
      diskFormat: 'iso',
      certain: false,
    });
    expect(await guess(fileOf('disk.img', bytes(600, {})))).toMatchObject({
      diskFormat: 'raw',
      certain: false,
    });
  });

  test('short and empty files are not read beyond their end', async () => {
    expect((await guess(fileOf('x', new Uint8Array()))).warning).toBe('empty');
    expect(await guess(fileOf('x.qcow2', bytes(4, { 0: 'QFI\xfb' })))).toMatchObject({
      diskFormat: 'qcow2',
      certain: false,
    });
  });
});

test.each([
  ['debian-12-generic-amd64.qcow2', 'debian-12-generic-amd64', 'qcow2'],
  ['ubuntu-24.04-server.img', 'ubuntu-24.04-server', null],
  ['C:\\images\\Win10.ISO', 'Win10', 'iso'],
  ['disk.raw.xz', 'disk', null],
  ['v1.2', 'v1.2', null],
])('%s is proposed as the name %s', (file, name, format) => {
  expect(nameOf(file)).toEqual({ name, format });
});
