// VMDK: of its many layouts only the two that are one self-contained file (monolithicSparse, streamOptimized) are
// taken; the others name further files by path (CVE-2022-47951).
import { type Captured, HEAD_BYTES, type Region } from './capture.ts';
import { divideUp, type Finding, type Format, outside, SECTOR, startsWith, truncated } from './format.ts';

const SPARSE_MAGIC = 'KDMV';
const HEADER_BYTES = 512;
/** QEMU's limit on the embedded text. */
const MAX_DESCRIPTOR_BYTES = 1024 * 1024 - 512;
/** In gdOffset: the grain directory is named by a footer at the end. */
const GD_AT_END = 0xffff_ffff_ffff_ffffn;
const GD_OFFSET_FIELD = 56;
const MAX_GRAIN_SECTORS = 0x20_0000n;
const MAX_GRAIN_TABLE = 512n;
const ALLOWED_TYPES = ['monolithicsparse', 'streamoptimized'];

export const vmdk: Format = {
  name: 'vmdk',
  matches: ({ head }) => startsWith(head, SPARSE_MAGIC) || startsWith(head, 'COWD') || isDescriptor(head),
  regions,
  inspect,
};

/** A descriptor on its own: QEMU skips comments and blank lines, then wants `version=1`, 2 or 3. */
function isDescriptor(head: Buffer): boolean {
  const text = head.toString('latin1', 0, 4096);
  if (/^\s*# *disk *descriptorfile/i.test(text)) return true;
  for (const line of text.split('\n')) {
    if (/^(#.*|\s*)$/.test(line)) continue;
    return /^\s*version *= *[123]/i.test(line);
  }
  return false;
}

function descriptorBytes(head: Buffer): number {
  const sectors = head.readBigUInt64LE(36);
  return sectors * SECTOR > BigInt(MAX_DESCRIPTOR_BYTES) ? MAX_DESCRIPTOR_BYTES : Number(sectors * SECTOR);
}

function regions({ head }: Captured): Region[] {
  if (!startsWith(head, SPARSE_MAGIC) || head.length < HEADER_BYTES) return [];
  return [
    {
      name: 'vmdk-descriptor',
      offset: HEAD_BYTES,
      length: HEADER_BYTES + descriptorBytes(head) - HEAD_BYTES,
    },
  ];
}

function inspect(content: Captured): Finding {
  const { head, tail, size } = content;
  if (!startsWith(head, SPARSE_MAGIC)) {
    return {
      virtualSize: null,
      problems: ['vmdk is a bare descriptor or a COWD extent, it must be one sparse file'],
    };
  }
  if (head.length < HEADER_BYTES) return truncated('vmdk header', head.length, HEADER_BYTES);
  const problems: string[] = [];
  const version = head.readUInt32LE(4);
  if (version < 1 || version > 3) problems.push(`vmdk version is ${version}, it must be 1 to 3`);
  const capacity = head.readBigUInt64LE(12);
  const grain = head.readBigUInt64LE(20);
  const descriptorSector = head.readBigUInt64LE(28);
  const descriptorSectors = head.readBigUInt64LE(36);
  const tableEntries = BigInt(head.readUInt32LE(44));

  let directory = head.readBigUInt64LE(GD_OFFSET_FIELD);
  if (directory === GD_AT_END) {
    const footer = tail.subarray(512, 1024);
    if (size < HEADER_BYTES * 4 || !sameButDirectory(head.subarray(0, HEADER_BYTES), footer)) {
      problems.push('vmdk footer differs from the header, they must agree');
    } else {
      directory = footer.readBigUInt64LE(GD_OFFSET_FIELD);
    }
  }
  if (grain < 1n || grain > MAX_GRAIN_SECTORS || (grain & (grain - 1n)) !== 0n) {
    problems.push(
      `vmdk grain size is ${grain} sectors, it must be a power of two up to ${MAX_GRAIN_SECTORS}`,
    );
  } else if (tableEntries < 1n || tableEntries > MAX_GRAIN_TABLE) {
    problems.push(`vmdk grain table has ${tableEntries} entries, it must have 1 to ${MAX_GRAIN_TABLE}`);
  } else {
    const entries = divideUp(capacity, grain * tableEntries);
    problems.push(...outside('vmdk grain directory', directory * SECTOR, entries * 4n, size));
  }

  if (
    descriptorSector !== 1n ||
    descriptorSectors < 1n ||
    descriptorSectors * SECTOR > BigInt(MAX_DESCRIPTOR_BYTES)
  ) {
    problems.push(
      `vmdk descriptor is at sector ${descriptorSector}, ${descriptorSectors} long: it must start at 1 and be 1 to ${MAX_DESCRIPTOR_BYTES / 512} long`,
    );
  } else {
    const length = descriptorBytes(head);
    const text = Buffer.concat([head.subarray(HEADER_BYTES), content.region('vmdk-descriptor')]).subarray(
      0,
      length,
    );
    if (text.length < length)
      problems.push(`vmdk descriptor is truncated: ${text.length} of ${length} bytes`);
    problems.push(...descriptorProblems(text, capacity));
  }
  return { virtualSize: capacity * SECTOR, problems };
}

function sameButDirectory(header: Buffer, footer: Buffer): boolean {
  const end = GD_OFFSET_FIELD + 8;
  return (
    footer.length === header.length &&
    header.subarray(0, GD_OFFSET_FIELD).equals(footer.subarray(0, GD_OFFSET_FIELD)) &&
    header.subarray(end).equals(footer.subarray(end)) &&
    footer.readBigUInt64LE(GD_OFFSET_FIELD) !== GD_AT_END
  );
}

/** Every line must be one we understand: readers differ in what they make of the others. */
function descriptorProblems(bytes: Buffer, capacity: bigint): string[] {
  const end = bytes.indexOf(0);
  const text = (end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1');
  if (/[^\t\r\n\x20-\x7e]/.test(text)) return ['vmdk descriptor holds bytes that are not printable ASCII'];
  if (end >= 0 && bytes.subarray(end).some((byte) => byte !== 0))
    return ['vmdk descriptor holds text after its end'];
  const problems: string[] = [];
  const types: string[] = [];
  let extents = 0;
  for (const raw of text.split(/[\r\n]+/)) {
    const line = raw.trim();
    const shown = JSON.stringify(line.slice(0, 80));
    if (line === '' || line.startsWith('#') || /^ddb\.[\w.]+ *=/i.test(line)) continue;
    const field = /^(\w+) *= *(.*)$/.exec(line);
    const extent = /^(?:rw|rdonly|noaccess) +(\d{1,20}) +(\w+) +"([^"]*)"(?: +\d+)?$/i.exec(line);
    if (extent !== null) {
      extents += 1;
      const [, sectors = '', kind = '', file = ''] = extent;
      if (kind.toLowerCase() !== 'sparse')
        problems.push(`vmdk extent ${shown} is ${kind}, it must be SPARSE`);
      if (/[/\\]|\.\./.test(file))
        problems.push(`vmdk extent ${shown} holds a path, it must be a plain file name`);
      if (BigInt(sectors) !== capacity)
        problems.push(`vmdk extent ${shown} differs from the capacity ${capacity}`);
    } else if (field !== null) {
      const key = (field[1] ?? '').toLowerCase();
      const value = (field[2] ?? '').replaceAll('"', '').trim().toLowerCase();
      if (key === 'createtype') types.push(value);
      if (key === 'parentfilenamehint' || key === 'changetrackpath') {
        problems.push(`vmdk descriptor field ${field[1]} names another file, it must not be set`);
      }
      if (key === 'parentcid' && value !== 'ffffffff') {
        problems.push(
          `vmdk parentCID is ${JSON.stringify(value.slice(0, 20))}, it must be ffffffff (no parent)`,
        );
      }
    } else {
      problems.push(`vmdk descriptor line ${shown} is not understood`);
    }
    if (problems.length > 8) return problems;
  }
  if (types.length !== 1 || !ALLOWED_TYPES.includes(types[0] ?? '')) {
    problems.push(
      `vmdk createType is ${JSON.stringify(types.join(', ').slice(0, 80))}, it must be one of monolithicSparse, streamOptimized`,
    );
  }
  if (extents !== 1) problems.push(`vmdk descriptor names ${extents} extents, it must name exactly 1`);
  return problems;
}
