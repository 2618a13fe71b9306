// Ploop (Virtuozzo; QEMU calls it parallels): a header and a block table.
import type { Captured } from './capture.ts';
import { divideUp, type Finding, type Format, outside, SECTOR, startsWith, truncated } from './format.ts';

const HEADER_BYTES = 64;

export const ploop: Format = {
  name: 'ploop',
  matches: ({ head }) => startsWith(head, 'WithoutFreeSpace') || startsWith(head, 'WithouFreSpacExt'),
  inspect,
};

function inspect({ head, size }: Captured): Finding {
  if (head.length < HEADER_BYTES) return truncated('ploop header', head.length, HEADER_BYTES);
  const problems: string[] = [];
  const version = head.readUInt32LE(16);
  if (version !== 2) problems.push(`ploop version is ${version}, it must be 2`);
  const sectorsPerBlock = BigInt(head.readUInt32LE(28));
  const entries = BigInt(head.readUInt32LE(32));
  const extended = startsWith(head, 'WithouFreSpacExt');
  const sectors = extended ? head.readBigUInt64LE(36) : BigInt(head.readUInt32LE(36));
  if (sectorsPerBlock === 0n) problems.push('ploop block size is 0, it must be positive');
  // The older magic counts one block per entry in sectors, the newer in blocks; both need an entry per block.
  else if (entries < divideUp(sectors, sectorsPerBlock)) {
    problems.push(`ploop block table has ${entries} entries, too few for ${sectors} sectors`);
  }
  problems.push(...outside('ploop block table', BigInt(HEADER_BYTES), entries * 4n, size));
  return { virtualSize: sectors * SECTOR, problems };
}
