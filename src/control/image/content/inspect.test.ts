// The inspector against real images of every format, and against hostile ones (security cases 1 to 6).
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { inspectAll, makeImage, MIB } from './real-images.ts';

const real: Record<string, Buffer> = {};
const KINDS: readonly [name: string, format: string, driver: string, size: number, options: string[]][] = [
  ['qcow2', 'qcow2', 'qcow2', 10 * MIB, []],
  ['qcow2 version 2', 'qcow2', 'qcow2', 10 * MIB, ['compat=0.10']],
  ['qcow2 with 512-byte clusters', 'qcow2', 'qcow2', 10 * MIB, ['cluster_size=512']],
  ['qcow2 with 2 MiB clusters', 'qcow2', 'qcow2', 10 * MIB, ['cluster_size=2M']],
  [
    'qcow2 with extended L2',
    'qcow2',
    'qcow2',
    10 * MIB,
    ['extended_l2=on,cluster_size=32k,compression_type=zstd'],
  ],
  ['qcow2 of 8 TiB', 'qcow2', 'qcow2', 2 ** 43, []],
  ['vmdk monolithicSparse', 'vmdk', 'vmdk', 10 * MIB, []],
  ['vmdk streamOptimized', 'vmdk', 'vmdk', 10 * MIB, ['subformat=streamOptimized']],
  ['vhd dynamic', 'vhd', 'vpc', 10 * MIB, ['force_size=on']],
  ['vhd fixed', 'vhd', 'vpc', 10 * MIB, ['subformat=fixed,force_size=on']],
  ['vhdx', 'vhdx', 'vhdx', 10 * MIB, []],
  ['vhdx fixed', 'vhdx', 'vhdx', 10 * MIB, ['subformat=fixed']],
  ['vdi', 'vdi', 'vdi', 10 * MIB, []],
  ['vdi static', 'vdi', 'vdi', 10 * MIB, ['static=on']],
  ['ploop', 'ploop', 'parallels', 10 * MIB, []],
  ['raw', 'raw', 'raw', 10 * MIB, []],
];

beforeAll(async () => {
  for (const [name, , driver, size, options] of KINDS) real[name] = await makeImage(driver, size, options);
}, 60_000);

/** A private copy of a real image, with bytes changed. */
function changed(name: string, change: (image: Buffer) => void): Buffer {
  const image = Buffer.from(real[name] ?? expect.fail(`no image ${name}`));
  change(image);
  return image;
}

function isoImage(): Buffer {
  const image = Buffer.alloc(64 * 1024);
  image.write('\x01CD001\x01', 32768, 'latin1');
  image.writeUInt32LE(32, 32768 + 80);
  image.writeUInt16LE(2048, 32768 + 128);
  return image;
}

function withMbr(image: Buffer): Buffer {
  image.writeUInt8(0x80, 446);
  image.writeUInt8(0x17, 446 + 4);
  image.writeUInt16LE(0xaa55, 510);
  return image;
}

describe('real images', () => {
  it.each(KINDS)('%s is known for what it is, without a problem', (name, format, _driver, size) => {
    const image = real[name] ?? expect.fail();
    expect(inspectAll(image)).toMatchObject({ format, virtualSize: size, size: image.length, problems: [] });
  });

  it('a hybrid ISO with a partition table is an ISO', () => {
    expect(inspectAll(withMbr(isoImage()))).toMatchObject({
      format: 'iso',
      partitionTable: 'mbr',
      problems: [],
    });
  });

  it('a partitioned raw disk is raw, and so is a fixed VHD around one a VHD', () => {
    expect(inspectAll(withMbr(Buffer.alloc(MIB)))).toMatchObject({
      format: 'raw',
      partitionTable: 'mbr',
      problems: [],
    });
    expect(inspectAll(changed('vhd fixed', withMbr))).toMatchObject({ format: 'vhd', problems: [] });
  });

  it('luks and gzip are told from raw', () => {
    expect(inspectAll(Buffer.from('LUKS\xba\xbe\x00\x02', 'latin1'))).toMatchObject({
      format: 'luks',
      problems: [],
    });
    expect(inspectAll(Buffer.from([0x1f, 0x8b, 8, 0]))).toMatchObject({ format: 'gzip', problems: [] });
    expect(inspectAll(Buffer.alloc(0))).toMatchObject({ format: 'raw', virtualSize: 0, problems: [] });
  });
});

describe('hostile qcow2', () => {
  const cases: readonly [what: string, change: (image: Buffer) => void, problem: RegExp][] = [
    ['a backing file', (i) => { i.writeBigUInt64BE(0x200n, 8); i.writeUInt32BE(11, 16); i.write('/etc/passwd', 0x200); }, /backing file/],
    ['a backing file length alone', (i) => { i.writeUInt32BE(11, 16); }, /backing file/],
    ['the external data file bit', (i) => { i.writeBigUInt64BE(4n, 72); }, /external data file bit/],
    ['a data file extension without the bit', (i) => { i.writeUInt32BE(0x44415441, 112); i.writeUInt32BE(8, 116); i.write('/etc/pas', 120); i.writeBigUInt64BE(0n, 128); }, /names an external data file/],
    ['the raw external data bit', (i) => { i.writeBigUInt64BE(2n, 88); }, /raw external data/],
    ['an unknown feature', (i) => { i.writeBigUInt64BE(1n << 40n, 72); }, /features 0x10000000000 are unknown/],
    ['8 EiB of virtual size', (i) => { i.writeBigUInt64BE(2n ** 63n, 24); }, /virtual size is 9223372036854775808/],
    ['an L1 table too small for its size', (i) => { i.writeBigUInt64BE(2n ** 50n, 24); }, /l1_size is 1/],
    ['an absurd L1 table', (i) => { i.writeUInt32BE(0xffffffff, 36); }, /L1 table .* outside/],
    ['an L1 table outside', (i) => { i.writeBigUInt64BE(2n ** 62n, 40); }, /L1 table .* outside/],
    ['an absurd refcount table', (i) => { i.writeUInt32BE(0xffffffff, 56); }, /refcount table/],
    ['a header length of 0', (i) => { i.writeUInt32BE(0, 100); }, /header_length is 0/],
    ['a header length of 4 GiB', (i) => { i.writeUInt32BE(0xfffffff8, 100); }, /header_length/],
    ['an extension past the cluster', (i) => { i.writeUInt32BE(0x11111111, 112); i.writeUInt32BE(0xffffffff, 116); }, /past the first cluster/],
    ['encryption', (i) => { i.writeUInt32BE(1, 32); }, /encryption/],
    ['an unknown compression', (i) => { i.writeUInt8(9, 104); }, /compression type/],
    ['absurd clusters', (i) => { i.writeUInt32BE(63, 20); }, /cluster_bits is 63/],
    ['version 9', (i) => { i.writeUInt32BE(9, 4); }, /version is 9/],
    ['65,537 snapshots', (i) => { i.writeUInt32BE(65537, 60); }, /nb_snapshots/],
    ['a partition table', (i) => { i.fill(0, 112, 512); withMbr(i); }, /partition table/],
    ['an ISO in the same file', (i) => { i.write('CD001', 32769); }, /several formats \(qcow2, iso\)/],
    ['a VHD footer', (i) => { i.write('conectix', i.length - 512); }, /several formats \(qcow2, vhd\)/],
  ]; // prettier-ignore

  it.each(cases)('with %s is refused', (_what, change, problem) => {
    const inspection = inspectAll(changed('qcow2', change));
    expect(inspection.format).toBe('qcow2');
    expect(inspection.problems.join('\n')).toMatch(problem);
  });

  it('of 1 KiB with 8 EiB behind it is refused', () => {
    const bomb = changed('qcow2', (image) => { image.writeBigUInt64BE(2n ** 63n - 512n, 24); }).subarray(0, 1024); // prettier-ignore
    expect(inspectAll(bomb).problems).not.toEqual([]);
  });

  it('cut off anywhere in its header is refused', () => {
    const image = real['qcow2'] ?? expect.fail();
    for (let length = 4; length < 200; length += 1) {
      const inspection = inspectAll(image.subarray(0, length));
      expect(inspection).toMatchObject({ format: 'qcow2' });
      expect(inspection.problems).not.toEqual([]);
    }
  });

  it('of version 1 and QED are recognised and refused', async () => {
    expect(inspectAll(await makeImage('qcow', MIB)).problems).toEqual([
      'format qcow (version 1) is not allowed',
    ]);
    expect(inspectAll(await makeImage('qed', MIB)).problems).toEqual(['format qed is not allowed']);
  });
});

describe('hostile VMDK', () => {
  function withDescriptor(change: (text: string) => string): Buffer {
    return changed('vmdk monolithicSparse', (image) => {
      const length = Number(image.readBigUInt64LE(36)) * 512;
      const text = change(image.toString('latin1', 512, 512 + length).replace(/\0+$/, ''));
      image.fill(0, 512, 512 + length);
      image.write(text, 512, 'latin1');
    });
  }
  const cases: readonly [what: string, from: RegExp, to: string, problem: RegExp][] = [
    ['an absolute path', /SPARSE "[^"]*"/, 'SPARSE "/etc/passwd"', /holds a path/],
    ['a parent directory', /SPARSE "[^"]*"/, 'SPARSE ".."', /holds a path/],
    ['a flat extent', /SPARSE "[^"]*"/, 'FLAT "disk.raw" 0', /it must be SPARSE/],
    ['another create type', /monolithicSparse/, 'monolithicFlat', /createType is "monolithicflat"/],
    ['a parent', /createType/, 'parentFileNameHint="/etc/passwd"\ncreateType', /names another file/],
    ['a parent id', /parentCID=ffffffff/, 'parentCID=12345678', /parentCID/],
    ['two extents', /\nRW /, '\nRW 20480 SPARSE "b"\nRW ', /names 2 extents/],
    ['two create types', /createType/, 'createType="monolithicSparse"\ncreateType', /createType/],
    ['an extent it cannot hold', /RW 20480/, 'RW 4096', /differs from the capacity/],
    ['a strange line', /createType/, 'rm -rf\ncreateType', /not understood/],
    ['bytes that are no text', /createType/, '\xff\ncreateType', /printable ASCII/],
    ['text after the end', /createType/, '\0createType', /after its end/],
  ]; // prettier-ignore
  it.each(cases)('with %s is refused', (_what, from, to, problem) => {
    expect(inspectAll(withDescriptor((text) => text.replace(from, to))).problems.join('\n')).toMatch(problem);
  });

  it('as a bare descriptor is refused, with or without its first comment', () => {
    const text =
      'version=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 1 FLAT "/etc/passwd" 0\n';
    for (const content of [text, `# Disk DescriptorFile\n${text}`, `\n# x\n  \n${text}`]) {
      const inspection = inspectAll(Buffer.from(content));
      expect(inspection.format).toBe('vmdk');
      expect(inspection.problems.join()).toMatch(/bare descriptor/);
    }
  });

  it('with a footer that differs from its header is refused, and taken when both agree', () => {
    const header = (real['vmdk streamOptimized'] ?? expect.fail()).subarray(0, 512);
    const footered = changed('vmdk streamOptimized', (image) => { image.writeBigUInt64LE(2n ** 64n - 1n, 56); }); // prettier-ignore
    const marker = Buffer.alloc(512);
    const agreed = Buffer.concat([footered, marker, header, Buffer.alloc(512)]);
    expect(inspectAll(agreed).problems).toEqual([]);
    const lying = Buffer.from(agreed);
    lying.writeBigUInt64LE(2n ** 50n, agreed.length - 1024 + 12);
    expect(inspectAll(lying).problems.join()).toMatch(/footer differs/);
    expect(inspectAll(footered).problems.join()).toMatch(/footer differs/);
  });
});

describe('hostile VHD, VHDX, VDI and ISO', () => {
  it('a differencing VHD, a wrong footer copy and a fixed VHD that lies about its size are refused', () => {
    expect(inspectAll(changed('vhd dynamic', (i) => { i.writeUInt32BE(4, i.length - 512 + 60); })).problems.join()).toMatch(/disk type is 4/); // prettier-ignore
    expect(inspectAll(changed('vhd dynamic', (i) => { i.writeUInt32BE(7, 48); })).problems.join()).toMatch(/differs from its copy/); // prettier-ignore
    expect(inspectAll(changed('vhd fixed', (i) => { i.writeBigUInt64BE(2n ** 60n, i.length - 512 + 48); })).problems.join()).toMatch(/more than the/); // prettier-ignore
  });

  it('a VHDX with a parent, a log or an absurd size is refused', () => {
    const image = real['vhdx'] ?? expect.fail();
    const metadata = image.indexOf('metadata');
    const parameters = metadata + 65536;
    const size = image.indexOf(Buffer.from('0000a00000000000', 'hex'), parameters);
    expect(inspectAll(changed('vhdx', (i) => { i.writeUInt32LE(2, parameters + 4); })).problems.join()).toMatch(/parent/); // prettier-ignore
    expect(inspectAll(changed('vhdx', (i) => { i.writeBigUInt64LE(2n ** 62n, size); })).problems.join()).toMatch(/too short/); // prettier-ignore
    expect(inspectAll(changed('vhdx', (i) => { i.fill(1, 65536 + 48, 65536 + 64); i.fill(1, 131072 + 48, 131072 + 64); })).problems.join()).toMatch(/no valid header/); // prettier-ignore
    expect(inspectAll(changed('vhdx', (i) => { i.fill(0xff, 196608 + 8, 196608 + 12); })).problems.join()).toMatch(/region table/); // prettier-ignore
    expect(inspectAll(image.subarray(0, 100_000)).problems.join()).toMatch(/truncated/);
  });

  it('a VDI with a parent or too few blocks is refused', () => {
    expect(inspectAll(changed('vdi', (i) => { i.fill(1, 440, 456); })).problems.join()).toMatch(/parent/); // prettier-ignore
    expect(inspectAll(changed('vdi', (i) => { i.writeBigUInt64LE(2n ** 60n, 368); })).problems.join()).toMatch(/too few/); // prettier-ignore
    expect(inspectAll(changed('vdi', (i) => { i.writeUInt32LE(0xffffffff, 384); })).problems.join()).toMatch(/block map .* outside/); // prettier-ignore
  });

  it('an ISO that claims more than it holds is refused', () => {
    const image = isoImage();
    image.writeUInt32LE(0xffffffff, 32768 + 80);
    expect(inspectAll(image).problems.join()).toMatch(/iso volume/);
  });
});

describe('whatever the bytes', () => {
  const cuts = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 12 });
  const names = KINDS.map(([name]) => name).filter((name) => name !== 'qcow2 of 8 TiB');
  const mutation = fc.record({
    name: fc.constantFrom(...names),
    edits: fc.array(fc.tuple(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 8,
    }),
    length: fc.option(fc.integer({ min: 0, max: 300_000 })),
  });
  const mutated = ({
    name,
    edits,
    length,
  }: {
    name: string;
    edits: [number, number][];
    length: number | null;
  }): Buffer => {
    const image = changed(name, (copy) => {
      for (const [at, value] of edits) copy[at] = value;
    });
    return length === null ? image : image.subarray(0, length);
  };

  it('random content never throws', () => {
    const magics = [
      '',
      'QFI\xfb\0\0\0\x03',
      'KDMV',
      'vhdxfile',
      'conectix',
      'QED\0',
      'WithoutFreeSpace',
      '# Disk DescriptorFile',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 3000 }), (magic, bytes) => {
        const inspection = inspectAll(Buffer.concat([Buffer.from(magic, 'latin1'), bytes]));
        expect(inspection.size).toBe(magic.length + bytes.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('the result does not depend on how the stream is cut', () => {
    fc.assert(
      fc.property(mutation, cuts, (change, at) => {
        const image = mutated(change);
        expect(inspectAll(image, at)).toEqual(inspectAll(image));
      }),
      { numRuns: 150 },
    );
  });

  it('a stream of single bytes gives the same result', () => {
    const image = (real['vmdk monolithicSparse'] ?? expect.fail()).subarray(0, 100_000);
    expect(
      inspectAll(
        image,
        Array.from({ length: 100_000 }, () => 1),
      ),
    ).toEqual(inspectAll(image));
  });

  it('a changed qcow2 that is let through names no other file and claims no more than its tables hold', () => {
    const qcow2 = names.filter((name) => name.startsWith('qcow2'));
    const field = fc.constantFrom(
      4,
      8,
      16,
      20,
      24,
      28,
      32,
      36,
      40,
      48,
      56,
      60,
      72,
      76,
      79,
      88,
      95,
      96,
      100,
      104,
      112,
      116,
    );
    const edit = fc.tuple(
      fc.oneof(field, fc.integer({ min: 0, max: 300 })),
      fc.oneof(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 255 })),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...qcow2),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (name, edits) => {
          const image = mutated({ name, edits, length: null });
          const { format, problems, virtualSize } = inspectAll(image);
          if (format !== 'qcow2' || problems.length > 0) return;
          expect(image.readBigUInt64BE(8)).toBe(0n);
          expect(image.readUInt32BE(16)).toBe(0);
          if (image.readUInt32BE(4) === 3) expect(image.readBigUInt64BE(72) & ~0b11001n).toBe(0n);
          const cluster = 2 ** image.readUInt32BE(20);
          expect(
            image.subarray(0, Math.min(cluster, 4096)).includes(Buffer.from([0x44, 0x41, 0x54, 0x41])),
          ).toBe(false);
          expect(virtualSize).toBeLessThanOrEqual(image.readUInt32BE(36) * cluster * (cluster / 8));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
