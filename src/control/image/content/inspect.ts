// Tells what an image really is while its bytes pass, and why it must be refused. Nothing it is given makes it throw.
// The rules follow OpenStack's oslo.utils format_inspector and go further where QEMU reads more than that does.
import { gzip, tar } from './bundles.ts';
import { type Captured, createCapture, type Region } from './capture.ts';
import type { Finding, Format, FormatName } from './format.ts';
import { iso } from './iso.ts';
import { partitionTable, type PartitionTable } from './partitions.ts';
import { ploop } from './ploop.ts';
import { qcow, qcow2 } from './qcow2.ts';
import { bochs, cloop, dmg, luks, qed } from './refused.ts';
import { vdi } from './vdi.ts';
import { vhd } from './vhd.ts';
import { vhdx } from './vhdx.ts';
import { vmdk } from './vmdk.ts';

const FORMATS: readonly Format[] = [
  qcow2, qcow, vmdk, vhdx, vdi, qed, luks, ploop, bochs, cloop, vhd, dmg, iso, tar, gzip,
]; // prettier-ignore

export type Inspection = {
  format: FormatName;
  /** Bytes a guest would see; null: not a disk, or not readable (then there is a problem too). */
  virtualSize: number | null;
  /** Bytes of the content itself. */
  size: number;
  /** Reasons to refuse it; empty: sound. */
  problems: string[];
  partitionTable: PartitionTable;
};

export type Inspector = { write: (chunk: Buffer) => void; finish: () => Inspection };

export function createInspector(): Inspector {
  const capture = createCapture((captured) => FORMATS.flatMap((format) => wantedRegions(format, captured)));
  return { write: capture.write, finish: () => judge(capture.captured()) };
}

function judge(captured: Captured): Inspection {
  const matching = FORMATS.filter((format) => format.matches(captured));
  const table = partitionTable(captured.head);
  const [first] = matching;
  const base = { size: captured.size, partitionTable: table };
  if (first === undefined) return { ...base, format: 'raw', virtualSize: captured.size, problems: [] };

  const finding = inspectSafely(first, captured);
  const problems = [...finding.problems];
  if (matching.length > 1) {
    problems.unshift(
      `content matches several formats (${matching.map((format) => format.name).join(', ')}), it must be one`,
    );
  } else if (table !== null && !mayHavePartitionTable(first, captured)) {
    problems.unshift(`content matches ${first.name} and a partition table (${table}), it must be one`);
  }
  let virtualSize: number | null = null;
  if (finding.virtualSize !== null) {
    if (finding.virtualSize <= BigInt(Number.MAX_SAFE_INTEGER)) virtualSize = Number(finding.virtualSize);
    else
      problems.push(
        `virtual size is ${finding.virtualSize} bytes, it must be at most ${Number.MAX_SAFE_INTEGER}`,
      );
  }
  return { ...base, format: first.name, virtualSize, problems };
}

/** Formats whose first sector is the guest's or a boot loader's own: a hybrid ISO, a fixed VHD. */
function mayHavePartitionTable(format: Format, { head }: Captured): boolean {
  return format === iso || (format === vhd && head.toString('latin1', 0, 8) !== 'conectix');
}

// The two below are the last guard: a bounds error in a format file must become a refusal, never an exception.
function inspectSafely(format: Format, captured: Captured): Finding {
  try {
    return format.inspect(captured);
  } catch {
    return { virtualSize: null, problems: [`${format.name} header is not readable`] };
  }
}

function wantedRegions(format: Format, captured: Captured): Region[] {
  try {
    return format.regions?.(captured) ?? [];
  } catch {
    return [];
  }
}
