// What a figure is: a name, how it is measured, and the lines that it adds to the one table.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export type Line = {
  figure: string;
  /** What the project asks of itself; '' where it only asks to know. */
  target: string;
  measured: string;
  /** null: there is no target. */
  met: boolean | null;
  /** The rival of the same run and the ratio to it. */
  rival: string;
};

/** `say` prints progress to standard error. */
export type Figure = { name: string; title: string; measure(say: (line: string) => void): Promise<Line[]> };

export const line = (figure: string, measured: string, more: Partial<Line> = {}): Line => ({
  figure,
  target: '',
  measured,
  met: null,
  rival: '',
  ...more,
});

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? NaN;
}

export const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
export const rate = (value: number): string => `${Math.round(value).toLocaleString('en-US')}/s`;
export const mib = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
/** 'median (lowest .. highest of n)'. */
export const spread = (values: readonly number[], show: (value: number) => string): string =>
  `${show(median(values))} (${show(Math.min(...values))} .. ${show(Math.max(...values))}, n=${values.length})`;

/** What has to go when a run is interrupted; each runs to its end before the process does. */
export const leftovers = new Set<() => void>();
/** What must have come up before it can be removed. */
export const starting = new Set<Promise<unknown>>();

/** A folder on a real disk: /tmp may live in memory, where an fsync costs nothing. */
export async function withFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? '/var/tmp', 'strata-bench-'));
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  leftovers.add(remove);
  try {
    return await work(dir);
  } finally {
    leftovers.delete(remove);
    remove();
  }
}

const TICKS_A_SECOND = 100; // USER_HZ, the same on every Linux

/** Seconds of CPU that a process and its threads have used. What one core does in a second shows even on a busy machine. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
