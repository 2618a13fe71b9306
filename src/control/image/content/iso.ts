// ISO 9660 and UDF: the volume descriptors start at 32 KiB; what lies before belongs to a boot loader, so a partition
// table there (hybrid image) is normal.
import type { Captured } from './capture.ts';
import type { Finding, Format } from './format.ts';
import { truncated } from './format.ts';

const DESCRIPTORS_AT = 32 * 1024;
const DESCRIPTOR_BYTES = 2048;
const SIGNATURES = ['CD001', 'NSR02', 'NSR03', 'BEA01'];

export const iso: Format = {
  name: 'iso',
  matches: ({ head }) => SIGNATURES.includes(head.toString('latin1', DESCRIPTORS_AT + 1, DESCRIPTORS_AT + 6)),
  inspect,
};

/** The size a guest sees is the file: the descriptor's own figure leaves out what hybrid images append. */
function inspect({ head, size }: Captured): Finding {
  const need = DESCRIPTORS_AT + DESCRIPTOR_BYTES;
  if (head.length < need) return truncated('iso volume descriptor', head.length, need);
  const descriptor = head.subarray(DESCRIPTORS_AT, need);
  const problems: string[] = [];
  if (descriptor.readUInt8(0) === 1) {
    const volume = BigInt(descriptor.readUInt32LE(80)) * BigInt(descriptor.readUInt16LE(128));
    if (volume > BigInt(size)) problems.push(`iso volume is ${volume} bytes, the content only ${size}`);
  }
  return { virtualSize: BigInt(size), problems };
}
