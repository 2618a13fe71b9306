// Figures of a guest that runs: of its threads by /proc, of its disks by QMP, of its interfaces by the kernel.
import { readFile } from 'node:fs/promises';
import { run } from '../../../../kernel/run.ts';
import type { GuestFigures } from '../../../../protocol/link.ts';
import { nicFigures } from '../link-figures.ts';
import type { Hardware } from './command-line.ts';
import type { GuestProcess } from './process.ts';
import type { Qmp } from './qmp.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const records = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
const within = (value: unknown, key: string): Record<string, unknown> => {
  const inner = isRecord(value) ? value[key] : undefined;
  return isRecord(inner) ? inner : {};
};
const count = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** The kernel counts in ticks of 10 ms (USER_HZ, which is 100 on every architecture that we run on). */
const tickNs = 10_000_000;

async function threadTime(pid: number, thread: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickNs;
}

async function uptimeOf({ started }: GuestProcess): Promise<number> {
  const now = Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]);
  return Math.max(0, Math.floor(now - Number(started) / 100));
}

async function residentMib(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? null : Math.round(Number(kib) / 1024);
}

/** Device -> its counters; what the host sends the guest receives. */
async function linkFigures(netns: string): Promise<Map<string, Record<string, unknown>>> {
  const { stdout } = await run(['ip', '-n', netns, '-j', '-s', 'link', 'show']);
  return new Map(
    records(JSON.parse(stdout)).map((link) => [String(link['ifname']), within(link, 'stats64')]),
  );
}

export async function figuresOf(
  qmp: Qmp,
  target: GuestProcess,
  hardware: Hardware,
  netns: string | null,
): Promise<GuestFigures> {
  const threads = records(await qmp.execute('query-cpus-fast'));
  const disks = records(await qmp.execute('query-blockstats')).filter((one) =>
    /^\/machine\/peripheral\/(root-disk|rescue-disk|vol-)/.test(String(one['qdev'])),
  );
  const links = netns === null || hardware.taps.length === 0 ? new Map() : await linkFigures(netns);
  return {
    uptimeS: await uptimeOf(target),
    memory: { maximumMib: hardware.memoryMib, usedMib: await residentMib(target.pid) },
    cpus: await Promise.all(
      threads.map(async (one) => ({
        id: count(one['cpu-index']),
        timeNs: await threadTime(target.pid, count(one['thread-id'])),
      })),
    ),
    nics: hardware.taps.map(({ device, mac }) => {
      const link: unknown = links.get(device);
      return nicFigures(mac, within(link, 'tx'), within(link, 'rx'));
    }),
    disks: disks.map((one) => {
      const stats = within(one, 'stats');
      return {
        readBytes: count(stats['rd_bytes']),
        readRequests: count(stats['rd_operations']),
        writeBytes: count(stats['wr_bytes']),
        writeRequests: count(stats['wr_operations']),
        errors: count(stats['failed_rd_operations']) + count(stats['failed_wr_operations']),
      };
    }),
  };
}
