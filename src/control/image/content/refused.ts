// Formats that are recognised only so that they are refused: readers such as QEMU probe for them, and none is a disk
// format a user may upload.
import { banned, type Format, startsWith } from './format.ts';

const LUKS_MAGIC = 'LUKS\xba\xbe';

/** Sound by itself, but no disk format is declared for it, so that it only ever arrives as `raw`. */
export const luks: Format = {
  name: 'luks',
  matches: ({ head }) => startsWith(head, LUKS_MAGIC),
  inspect: ({ head, size }) => {
    const version = head.length >= 8 ? head.readUInt16BE(6) : 0;
    return version === 1 || version === 2
      ? { virtualSize: BigInt(size), problems: [] }
      : { virtualSize: null, problems: [`luks version is ${version}, it must be 1 or 2`] };
  },
};

export const qed: Format = {
  name: 'qed',
  matches: ({ head }) => startsWith(head, 'QED\0'),
  inspect: () => banned('qed'),
};

export const bochs: Format = {
  name: 'bochs',
  matches: ({ head }) => startsWith(head, 'Bochs Virtual HD Image'),
  inspect: () => banned('bochs'),
};

export const cloop: Format = {
  name: 'cloop',
  matches: ({ head }) => startsWith(head, '#!/bin/sh\n#V2.0 Format\nmodprobe cloop'),
  inspect: () => banned('cloop'),
};

export const dmg: Format = {
  name: 'dmg',
  matches: ({ tail, size }) => size >= 512 && startsWith(tail, 'koly', tail.length - 512),
  inspect: () => banned('dmg'),
};
