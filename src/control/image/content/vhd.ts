// VHD (QEMU calls it vpc; Microsoft "Virtual Hard Disk Image Format Specification"): a footer at the end, and for a
// dynamic disk its copy at the start. A differencing disk names a parent and is refused.
import type { Captured } from './capture.ts';
import { divideUp, type Finding, type Format, outside, SECTOR, startsWith, truncated } from './format.ts';

const COOKIE = 'conectix';
const FOOTER_BYTES = 512;
const FIXED = 2;
const DYNAMIC = 3;
/** The largest geometry (65535 cylinders, 16 heads, 255 sectors): beyond it only the size field counts. */
const MAX_CHS = 65535n * 16n * 255n;
/** Creators whose disks QEMU sizes by the size field; of all others, by the geometry. */
const SIZE_FIELD_CREATORS = ['win ', 'd2v ', 'qem2', 'tap\0', 'vs\0\0', '\0\0\0\0'];

export const vhd: Format = {
  name: 'vhd',
  matches: (content) => startsWith(content.head, COOKIE) || startsWith(footerOf(content), COOKIE),
  inspect,
};

function footerOf({ tail, size }: Captured): Buffer {
  return size < FOOTER_BYTES ? Buffer.alloc(0) : tail.subarray(tail.length - FOOTER_BYTES);
}

function inspect(content: Captured): Finding {
  const { head, size } = content;
  if (size < FOOTER_BYTES) return truncated('vhd footer', size, FOOTER_BYTES);
  const footer = footerOf(content);
  if (!startsWith(footer, COOKIE)) {
    return {
      virtualSize: null,
      problems: ['vhd footer is missing at the end, only its copy at the start is there'],
    };
  }
  const problems: string[] = [];
  const checksum = footer.readUInt32BE(64);
  if (checksum !== checksumOf(footer)) problems.push(`vhd footer checksum ${checksum} is wrong`);
  const virtualSize = sizeOf(footer);
  const type = footer.readUInt32BE(60);
  if (type === FIXED) {
    const data = BigInt(size - FOOTER_BYTES);
    if (footer.readBigUInt64BE(48) > data || virtualSize > data) {
      problems.push(`vhd size is ${virtualSize} bytes, more than the ${data} bytes a fixed disk holds`);
    }
    // A fixed disk starts with the guest's own bytes; a footer there would make readers differ.
    if (startsWith(head, COOKIE))
      problems.push('vhd footer says fixed, but a copy of a footer is at the start');
  } else if (type === DYNAMIC) {
    problems.push(...dynamicProblems(content, footer, virtualSize));
  } else {
    problems.push(`vhd disk type is ${type}, it must be 2 (fixed) or 3 (dynamic)`);
  }
  return { virtualSize, problems };
}

function dynamicProblems({ head, size }: Captured, footer: Buffer, virtualSize: bigint): string[] {
  if (!head.subarray(0, FOOTER_BYTES).equals(footer))
    return ['vhd footer differs from its copy at the start, they must agree'];
  const offset = footer.readBigUInt64BE(16);
  if (offset < 512n || offset + 1024n > BigInt(head.length)) {
    return [`vhd dynamic header is at ${offset}, it must lie within the first ${head.length} bytes`];
  }
  const header = head.subarray(Number(offset), Number(offset) + 1024);
  if (!startsWith(header, 'cxsparse')) return ['vhd dynamic header has no cxsparse cookie'];
  const entries = BigInt(header.readUInt32BE(28));
  const block = BigInt(header.readUInt32BE(32));
  const problems = outside('vhd block table', header.readBigUInt64BE(16), entries * 4n, size);
  if (block < SECTOR || (block & (block - 1n)) !== 0n) {
    problems.push(`vhd block size is ${block} bytes, it must be a power of two of at least 512`);
  } else if (entries < divideUp(virtualSize, block)) {
    problems.push(
      `vhd block table has ${entries} entries, ${virtualSize} bytes need ${divideUp(virtualSize, block)}`,
    );
  }
  return problems;
}

function sizeOf(footer: Buffer): bigint {
  const chs = BigInt(footer.readUInt16BE(56)) * BigInt(footer.readUInt8(58)) * BigInt(footer.readUInt8(59));
  const creator = footer.toString('latin1', 28, 32);
  return SIZE_FIELD_CREATORS.includes(creator) || chs === MAX_CHS ? footer.readBigUInt64BE(48) : chs * SECTOR;
}

function checksumOf(footer: Buffer): number {
  let sum = 0;
  for (let index = 0; index < FOOTER_BYTES; index += 1)
    if (index < 64 || index > 67) sum += footer.readUInt8(index);
  return ~sum >>> 0;
}
