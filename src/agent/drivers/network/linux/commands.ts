// How this driver talks to the kernel: ip, tc and nft in batches inside a namespace, one process a batch.
// Errors come out as DriverErrors: a missing program names its Debian package.
import { randomUUID } from 'node:crypto';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { run, RunError, type RunOptions } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import type { CloudNames } from './names.ts';

const packages: Record<string, string> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  dnsmasq: 'dnsmasq-base',
  conntrack: 'conntrack',
  nsenter: 'util-linux',
};

export function driverError(what: string, program: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  if (error instanceof RunError) {
    if (error.reason === 'missing')
      return new DriverError(
        'unavailable',
        `The program "${program}" is missing on this host: install the Debian package ${packages[program] ?? program}.`,
        '',
        error,
      );
    const detail = `${error.command.join(' ')}: ${error.stderr}`;
    if (error.reason === 'timeout')
      return new DriverError('timeout', `${what}: ${program} did not answer in time.`, detail, error);
    if (error.exitCode === 127 && /^(nsenter|env): /m.test(error.stderr))
      return new DriverError(
        'unavailable',
        `The program "${program}" is missing on this host: install the Debian package ${packages[program] ?? program}.`,
        detail,
        error,
      );
    if (/No space left on device/.test(error.stderr))
      return new DriverError('no-space', `${what}: no space is left on this host.`, detail, error);
    return new DriverError('failed', `${what}: the kernel did not accept it.`, detail, error);
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new DriverError('no-space', `${what}: no space is left on this host.`, String(error), error);
  return new DriverError('failed', `${what} failed on this host.`, String(error), error);
}

export const netnsPath = (ns: string): string => `/run/netns/${ns}`;

/**
 * What goes before a command to run it in a namespace (null: the host's own). `nsenter` and `env` because `ip netns exec`
 * and `ip -n` build a mount namespace each time, which takes longer the more namespaces, hence mounts, there are.
 */
const within = (ns: string | null): [string, ...string[]] =>
  ns === null ? ['env'] : ['nsenter', `--net=${netnsPath(ns)}`];

/** Type of the file system that a namespace is mounted from (linux/magic.h). */
const nsfsMagic = 0x6e736673;

/** True for a named namespace. A file without its mount is what a reboot leaves where /run is on disk: it is taken away. */
export async function namespaceExists(ns: string): Promise<boolean> {
  const type = await statfs(netnsPath(ns)).then(
    (stats) => stats.type,
    () => null,
  );
  if (type !== null && type !== nsfsMagic) await rm(netnsPath(ns), { force: true });
  return type === nsfsMagic;
}

export type InNamespace = RunOptions & { what: string };

/** Runs a program in a named namespace. */
export async function inNamespace(
  ns: string,
  command: readonly [string, ...string[]],
  options: InNamespace,
): Promise<string> {
  try {
    return (await run([...within(ns), ...command], options)).stdout;
  } catch (error) {
    throw driverError(options.what, command[0], error);
  }
}

/** One batch of `ip` commands in a namespace (null: the host's own). */
export async function ip(ns: string | null, lines: string[], what: string): Promise<void> {
  if (lines.length === 0) return;
  try {
    await run([...within(ns), 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  } catch (error) {
    throw driverError(what, 'ip', error);
  }
}

/** `ip -j ...` parsed. The caller checks the shape field by field. */
export async function ipJson(
  ns: string | null,
  args: string[],
  what: string,
): Promise<Record<string, unknown>[]> {
  try {
    const { stdout } = await run([...within(ns), 'ip', '-j', ...args], { maxOutput: 256 * 1024 * 1024 });
    const parsed: unknown = stdout.trim() === '' ? [] : JSON.parse(stdout);
    if (!Array.isArray(parsed)) return [];
    return parsed.filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null);
  } catch (error) {
    throw driverError(what, 'ip', error);
  }
}

/** tc goes on after a refused line (`-force`), so that deleting a qdisc that is not there is no error; adding one that is refused still throws. */
export async function tc(ns: string, removals: string[], additions: string[], what: string): Promise<void> {
  if (removals.length > 0)
    await run([...within(ns), 'tc', '-force', '-batch', '-'], { input: `${removals.join('\n')}\n` }).catch(
      (error: unknown) => {
        if (error instanceof RunError && error.reason === 'exit') return;
        throw driverError(what, 'tc', error);
      },
    );
  if (additions.length === 0) return;
  try {
    await run([...within(ns), 'tc', '-batch', '-'], { input: `${additions.join('\n')}\n` });
  } catch (error) {
    throw driverError(what, 'tc', error);
  }
}

/** One nft transaction: all of it or none. What nft refuses would be refused again, so it is 'refused' unless an object is busy or not there yet. */
export async function nftInNamespace(ns: string, text: string, what: string): Promise<void> {
  try {
    await run([...within(ns), 'nft', '-f', '-'], { input: text });
  } catch (error) {
    const known = driverError(what, 'nft', error);
    if (
      known.code !== 'failed' ||
      /Device or resource busy|No such file or directory|File exists|Interrupted|Cannot allocate/.test(
        known.detail,
      )
    )
      throw known;
    throw new DriverError(
      'refused',
      `${what}: the packet filter refused it; nothing was changed.`,
      known.detail,
      error,
    );
  }
}

export type Flow = {
  zone?: number;
  match: '--orig-src' | '--orig-dst' | '--reply-src' | '--reply-dst';
  address: string;
  /** A name that conntrack knows; absent: all. */
  protocol?: string;
  /** Destination port; only with TCP and UDP. */
  port?: number;
};

/** Up to this many deletions, each of which reads the whole table, cost less than looking first who is in it. */
const fewFlows = 8;

/** Those of `flows` whose address is in the table at all. */
async function tracked(ns: string, flows: Flow[], what: string): Promise<Flow[]> {
  const seen = new Set<string>();
  for (const family of new Set(flows.map(({ address }) => (address.includes(':') ? 'ipv6' : 'ipv4')))) {
    const table = await inNamespace(ns, ['conntrack', '-L', '-f', family], {
      what,
      maxOutput: 512 * 1024 * 1024,
    });
    for (const [, address] of table.matchAll(/ (?:src|dst)=(\S+)/g))
      if (address !== undefined) seen.add(address);
  }
  return flows.filter(({ address }) => address.includes('/') || seen.has(address));
}

/** Deletes tracked connections, so that packets of flows that are no longer allowed are judged by the rules again. */
export async function cutFlows(names: CloudNames, ns: string, flows: Flow[], what: string): Promise<void> {
  const present = flows.length > fewFlows ? await tracked(ns, flows, what) : flows;
  if (present.length === 0) return;
  const lines = present.map(({ zone, match, address, protocol, port }) =>
    [
      '-D',
      ...(address.includes(':') ? ['-f', 'ipv6'] : []),
      ...(protocol === undefined ? [] : ['-p', protocol]),
      ...(port === undefined ? [] : ['--dport', port]),
      ...(zone === undefined ? [] : ['-w', zone]),
      match,
      address,
    ].join(' '),
  );
  // A file, because conntrack opens /dev/stdin by name, which fails on the socket that Node gives a child.
  const file = `${names.runDir}/flows-${randomUUID()}`;
  try {
    await writeFile(file, `${[...new Set(lines)].join('\n')}\n`);
    await inNamespace(ns, ['conntrack', '-R', file], { what });
  } catch (error) {
    throw driverError(what, 'conntrack', error);
  } finally {
    await rm(file, { force: true });
  }
}

/** Writes one value to kernel settings of a namespace (/proc/sys/net shows the writer's own namespace). */
export async function setSysctl(ns: string, value: string, settings: string[], what: string): Promise<void> {
  await inNamespace(ns, ['tee', ...settings.map((name) => `/proc/sys/net/${name}`)], {
    input: `${value}\n`,
    what,
  });
}
