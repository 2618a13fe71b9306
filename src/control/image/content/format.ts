// What every disk format file of the content inspector provides, and the safe reading they share: the bytes are the
// caller's and hostile.
import type { Captured, Region } from './capture.ts';

export type FormatName =
  | 'raw' | 'qcow2' | 'vmdk' | 'vhd' | 'vhdx' | 'vdi' | 'iso' | 'ploop' | 'luks'
  | 'qcow' | 'qed' | 'dmg' | 'bochs' | 'cloop' | 'tar' | 'gzip'
  | 'docker-archive' | 'oci-archive'; // prettier-ignore

export type Finding = {
  /** Bytes the guest would see; null: not known, or not readable. */
  virtualSize: bigint | null;
  /** Reasons to refuse the content, each naming field, value and rule. */
  problems: string[];
};

export type Format = {
  name: FormatName;
  /** True as soon as any reader (QEMU above all) might take the content for this format. Broad on purpose. */
  matches: (content: Captured) => boolean;
  /** Further regions wanted, asked whenever one is complete; only those that start beyond it can still be had. */
  regions?: (content: Captured) => Region[];
  inspect: (content: Captured) => Finding;
};

export const SECTOR = 512n;

/** Content shorter than its own header: nothing in it can be believed. */
export function truncated(what: string, have: number, need: number): Finding {
  return {
    virtualSize: null,
    problems: [`${what} is truncated: ${have} bytes, at least ${need} are needed`],
  };
}

/** A format that is recognised so that it can be refused. */
export function banned(name: string): Finding {
  return { virtualSize: null, problems: [`format ${name} is not allowed`] };
}

export function startsWith(buffer: Buffer, magic: string, offset = 0): boolean {
  return (
    buffer.length >= offset + magic.length &&
    buffer.toString('latin1', offset, offset + magic.length) === magic
  );
}

export function isZero(buffer: Buffer): boolean {
  return buffer.every((byte) => byte === 0);
}

/** Reports a table that does not lie inside the file; the cheap test that exposes most size bombs. */
export function outside(name: string, offset: bigint, length: bigint, size: number): string[] {
  return offset + length <= BigInt(size)
    ? []
    : [`${name} at ${offset}, ${length} bytes long, lies outside the content (${size} bytes)`];
}

export const divideUp = (value: bigint, by: bigint): bigint => (value + by - 1n) / by;
