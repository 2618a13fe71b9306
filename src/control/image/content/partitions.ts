// Partition tables (MBR, GPT): they mark a raw disk. They are no format of their own, but tell an honest raw disk (and a
// hybrid ISO) from a file that wants to be read as two things.
import { startsWith } from './format.ts';

export type PartitionTable = 'gpt' | 'mbr' | null;

const ENTRIES_AT = 446;
const GPT_PROTECTIVE = 0xee;

export function partitionTable(head: Buffer): PartitionTable {
  if (head.length < 512 || head.readUInt16LE(510) !== 0xaa55) return null;
  const entries = [0, 1, 2, 3].map((index) =>
    head.subarray(ENTRIES_AT + index * 16, ENTRIES_AT + (index + 1) * 16),
  );
  if (entries.some((entry) => entry.readUInt8(0) !== 0 && entry.readUInt8(0) !== 0x80)) return null;
  const types = entries.map((entry) => entry.readUInt8(4));
  if (types.includes(GPT_PROTECTIVE) && startsWith(head, 'EFI PART', 512)) return 'gpt';
  return types.some((type) => type !== 0) ? 'mbr' : null;
}
