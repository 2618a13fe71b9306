// VHDX (MS-VHDX): size and parent flag lie behind two tables, so regions are captured step by step. A disk with a
// parent, or with a log that a reader would still replay over what was inspected, is refused.
import { type Captured, HEAD_BYTES, type Region } from './capture.ts';
import { divideUp, type Finding, type Format, outside, startsWith, truncated } from './format.ts';

const KIB = 1024;
const HEADER_AT = [64 * KIB, 128 * KIB];
const HEADER_BYTES = 4 * KIB;
const REGION_TABLE_AT = 192 * KIB;
const TABLE_BYTES = 64 * KIB;
const MAX_ENTRIES = 2047;
const MIB = 1024n * 1024n;

// GUIDs as they lie in the file: the first three groups little-endian.
const METADATA_REGION = guid('8b7ca206-4790-4b9a-b8fe-575f050f886e');
const BAT_REGION = guid('2dc27766-f623-4200-9d64-115e9bfd4a08');
const FILE_PARAMETERS = guid('caa16737-fa36-4d43-b3b6-33f0aa44e76b');
const VIRTUAL_DISK_SIZE = guid('2fa54224-cd1b-4876-b211-5dbed83bf4b8');
const PARENT_LOCATOR = guid('a8d35f2d-b30b-454d-abf7-d3d84834ab0c');
const HAS_PARENT = 2;

export const vhdx: Format = {
  name: 'vhdx',
  matches: ({ head }) => startsWith(head, 'vhdxfile'),
  regions,
  inspect,
};

function guid(text: string): string {
  const [a = '', b = '', c = '', d = '', e = ''] = text.split('-');
  const swap = (group: string): string => Buffer.from(group, 'hex').reverse().toString('hex');
  return swap(a) + swap(b) + swap(c) + d + e;
}

type Entry = { guid: string; offset: bigint; length: bigint; required: boolean };

/** null: the table is not there or not readable. */
function regionTable(content: Captured): Entry[] | null {
  const table = content.region('vhdx-regions');
  if (table.length < TABLE_BYTES || !startsWith(table, 'regi')) return null;
  const count = table.readUInt32LE(8);
  if (count > MAX_ENTRIES) return null;
  return Array.from({ length: count }, (_, index) => {
    const at = 16 + index * 32;
    return {
      guid: table.toString('hex', at, at + 16),
      offset: table.readBigUInt64LE(at + 16),
      length: BigInt(table.readUInt32LE(at + 24)),
      required: (table.readUInt32LE(at + 28) & 1) !== 0,
    };
  });
}

function metadataTable(content: Captured, base: bigint): Entry[] | null {
  const table = content.region('vhdx-metadata');
  if (table.length < TABLE_BYTES || !startsWith(table, 'metadata')) return null;
  const count = table.readUInt16LE(10);
  if (count > MAX_ENTRIES) return null;
  return Array.from({ length: count }, (_, index) => {
    const at = 32 + index * 32;
    return {
      guid: table.toString('hex', at, at + 16),
      offset: base + BigInt(table.readUInt32LE(at + 16)),
      length: BigInt(table.readUInt32LE(at + 20)),
      required: (table.readUInt32LE(at + 24) & 4) !== 0,
    };
  });
}

const only = (entries: Entry[] | null, wanted: string): Entry | undefined => {
  const found = entries?.filter((entry) => entry.guid === wanted) ?? [];
  return found.length === 1 ? found[0] : undefined;
};

function regions(content: Captured): Region[] {
  if (!startsWith(content.head, 'vhdxfile') || content.head.length < HEAD_BYTES) return [];
  const wanted: Region[] = [
    ...HEADER_AT.map((offset) => ({ name: `vhdx-header-${offset}`, offset, length: HEADER_BYTES })),
    { name: 'vhdx-regions', offset: REGION_TABLE_AT, length: TABLE_BYTES },
  ];
  const metadata = only(regionTable(content), METADATA_REGION);
  if (metadata === undefined) return wanted;
  wanted.push({ name: 'vhdx-metadata', offset: Number(metadata.offset), length: TABLE_BYTES });
  const items = metadataTable(content, metadata.offset);
  const size = only(items, VIRTUAL_DISK_SIZE);
  const parameters = only(items, FILE_PARAMETERS);
  if (size !== undefined) wanted.push({ name: 'vhdx-size', offset: Number(size.offset), length: 8 });
  if (parameters !== undefined)
    wanted.push({ name: 'vhdx-parameters', offset: Number(parameters.offset), length: 8 });
  return wanted;
}

function inspect(content: Captured): Finding {
  const table = regionTable(content);
  if (content.size < REGION_TABLE_AT + TABLE_BYTES) {
    return truncated('vhdx header', content.size, REGION_TABLE_AT + TABLE_BYTES);
  }
  if (table === null) return { virtualSize: null, problems: ['vhdx region table is not readable'] };
  const problems = logProblems(content);
  const metadata = only(table, METADATA_REGION);
  const bat = only(table, BAT_REGION);
  if (metadata === undefined || bat === undefined) {
    return {
      virtualSize: null,
      problems: [...problems, 'vhdx must have one metadata region and one block table'],
    };
  }
  problems.push(...outside('vhdx block table', bat.offset, bat.length, content.size));
  for (const entry of table) {
    if (entry.required && entry !== metadata && entry !== bat) {
      problems.push(`vhdx region ${entry.guid} is required and unknown`);
      break;
    }
  }
  const items = metadataTable(content, metadata.offset);
  const size = content.region('vhdx-size');
  const parameters = content.region('vhdx-parameters');
  if (items === null || size.length < 8 || parameters.length < 8) {
    return {
      virtualSize: null,
      problems: [...problems, 'vhdx metadata is not readable: no virtual size or parameters'],
    };
  }
  const hasParent = (parameters.readUInt32LE(4) & HAS_PARENT) !== 0;
  if (hasParent || items.some((item) => item.guid === PARENT_LOCATOR)) {
    problems.push('vhdx names a parent disk, it must not');
  }
  const virtualSize = size.readBigUInt64LE(0);
  const block = BigInt(parameters.readUInt32LE(0));
  if (block < MIB || block > 256n * MIB || (block & (block - 1n)) !== 0n) {
    problems.push(`vhdx block size is ${block} bytes, it must be a power of two from 1 MiB to 256 MiB`);
  } else if (bat.length < divideUp(virtualSize, block) * 8n) {
    problems.push(
      `vhdx block table is ${bat.length} bytes long, too short for a virtual size of ${virtualSize} bytes`,
    );
  }
  return { virtualSize, problems };
}

/** The valid header with the higher sequence number counts (MS-VHDX 2.2.2); a log id in it means a log to replay. */
function logProblems(content: Captured): string[] {
  const valid = HEADER_AT.map((offset) => content.region(`vhdx-header-${offset}`)).filter(
    (header) =>
      header.length === HEADER_BYTES &&
      startsWith(header, 'head') &&
      header.readUInt32LE(4) === crc32c(header),
  );
  const sequence = (header: Buffer): bigint => header.readBigUInt64LE(8);
  const current = valid.sort((a, b) => (sequence(a) < sequence(b) ? 1 : -1))[0];
  if (current === undefined) return ['vhdx has no valid header'];
  return current.subarray(48, 64).every((byte) => byte === 0)
    ? []
    : ['vhdx log is not empty, it must have been replayed'];
}

/** CRC-32C of a header, its own checksum field taken as zero. */
function crc32c(header: Buffer): number {
  let crc = 0xffffffff;
  for (let index = 0; index < header.length; index += 1) {
    crc ^= index >= 4 && index < 8 ? 0 : header.readUInt8(index);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc >>> 0;
}
