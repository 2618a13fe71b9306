// VDI (VirtualBox): a fixed header and a block map. A disk that is linked to a parent is refused.
import type { Captured } from './capture.ts';
import { type Finding, type Format, isZero, outside, truncated } from './format.ts';

const SIGNATURE = 0xbeda107f;
const SIGNATURE_AT = 64;
const HEADER_BYTES = 512;
const BLOCK_BYTES = 1024n * 1024n;

export const vdi: Format = {
  name: 'vdi',
  matches: ({ head }) => head.length >= SIGNATURE_AT + 4 && head.readUInt32LE(SIGNATURE_AT) === SIGNATURE,
  inspect,
};

function inspect({ head, size }: Captured): Finding {
  if (head.length < HEADER_BYTES) return truncated('vdi header', head.length, HEADER_BYTES);
  const problems: string[] = [];
  const version = head.readUInt32LE(68);
  if (version !== 0x0001_0001)
    problems.push(`vdi version is 0x${version.toString(16)}, it must be 0x10001 (1.1)`);
  const type = head.readUInt32LE(76);
  if (type !== 1 && type !== 2)
    problems.push(`vdi image type is ${type}, it must be 1 (dynamic) or 2 (static)`);
  if (!isZero(head.subarray(424, 456))) problems.push('vdi names a parent disk, it must not');
  const sector = head.readUInt32LE(360);
  if (sector !== 512) problems.push(`vdi sector size is ${sector}, it must be 512`);

  const virtualSize = head.readBigUInt64LE(368);
  const block = BigInt(head.readUInt32LE(376));
  const blocks = BigInt(head.readUInt32LE(384));
  const allocated = BigInt(head.readUInt32LE(388));
  if (block !== BLOCK_BYTES) problems.push(`vdi block size is ${block} bytes, it must be ${BLOCK_BYTES}`);
  if (blocks * block < virtualSize)
    problems.push(`vdi has ${blocks} blocks, too few for ${virtualSize} bytes`);
  if (allocated > blocks) problems.push(`vdi has ${allocated} blocks allocated of ${blocks}`);
  problems.push(...outside('vdi block map', BigInt(head.readUInt32LE(340)), blocks * 4n, size));
  return { virtualSize, problems };
}
