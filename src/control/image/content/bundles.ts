// Tar and gzip: not disks, but containers of images (OVA, docker save, compressed). Recognised here, opened by archive.ts.
import { type Format, startsWith } from './format.ts';

export const tar: Format = {
  name: 'tar',
  matches: ({ head }) => startsWith(head, 'ustar', 257) && hasTarChecksum(head),
  inspect: () => ({ virtualSize: null, problems: [] }),
};

export const gzip: Format = {
  name: 'gzip',
  matches: ({ head }) => startsWith(head, '\x1f\x8b\x08'),
  inspect: () => ({ virtualSize: null, problems: [] }),
};

/** The sum of the header's bytes, its own field taken as spaces; it tells a tar from a disk with `ustar` somewhere. */
function hasTarChecksum(head: Buffer): boolean {
  if (head.length < 512) return false;
  let sum = 0;
  for (let index = 0; index < 512; index += 1)
    sum += index >= 148 && index < 156 ? 0x20 : head.readUInt8(index);
  const field = /^\s*([0-7]+)/.exec(head.toString('latin1', 148, 156));
  return field !== null && Number.parseInt(field[1] ?? '', 8) === sum;
}
