// Prints the figures of the project in one table: node bench/run.ts [NAME...]. Nothing here asserts: machines differ,
// so that a figure with a rival is judged by the ratio of one run.
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { leftovers, starting, type Figure, type Line } from './figure.ts';

const load: Record<string, () => Promise<Figure>> = {
  ready: async () => (await import('./figures/ready.ts')).ready,
  memory: async () => (await import('./figures/memory.ts')).memory,
  vm: async () => (await import('./figures/vm.ts')).vm,
  container: async () => (await import('./figures/container.ts')).container,
  wire: async () => (await import('./figures/wire.ts')).wire,
  volumes: async () => (await import('./figures/volumes.ts')).volumes,
  creates: async () => (await import('./figures/creates.ts')).creates,
  list: async () => (await import('./figures/list.ts')).list,
  ports: async () => (await import('./figures/ports.ts')).ports,
  tokens: async () => (await import('./figures/tokens.ts')).tokens,
  logins: async () => (await import('./figures/logins.ts')).logins,
  console: async () => (await import('./figures/console.ts')).console,
  topology: async () => (await import('./figures/topology.ts')).topology,
  placements: async () => (await import('./figures/placements.ts')).placements,
};

function show(lines: readonly Line[]): string {
  const rows = [
    ['figure', 'target', 'measured', 'met', 'rival in the same run'],
    ...lines.map((one) => [
      one.figure,
      one.target,
      one.measured,
      one.met === null ? '' : one.met ? 'yes' : 'NO',
      one.rival,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const text = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  text.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  return text.join('\n');
}

const version = (command: string, ...args: string[]): string => {
  try {
    return execFileSync(command, args, { encoding: 'utf8' }).split('\n')[0] ?? '';
  } catch {
    return `${command}: not found`;
  }
};

const say = (text: string): void => void process.stderr.write(`${text}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void Promise.allSettled(starting).then(() => {
      for (const remove of [...leftovers].reverse()) remove();
      process.exit(1);
    });
  });
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(load, name));
if (unknown.length > 0) {
  say(`No figure is named ${unknown.join(', ')}. There are: ${Object.keys(load).join(', ')}.`);
  process.exit(2);
}
const lines: Line[] = [];
for (const name of asked.length > 0 ? asked : Object.keys(load)) {
  try {
    const figure = await load[name]?.();
    if (figure === undefined) continue;
    say(`${name}: ${figure.title}`);
    lines.push(...(await figure.measure((text) => say(`  ${text}`))));
  } catch (error) {
    say(`  ${name} could not be measured: ${error instanceof Error ? error.stack : String(error)}`);
    lines.push({ figure: name, target: '', measured: 'could not be measured', met: false, rival: '' });
  }
}
console.log(show(lines));
console.log(
  [
    '',
    `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, Node ${process.version}; load average ${loadavg()[0]?.toFixed(1)}: what else ran made wall-clock figures worse`,
    `${version('qemu-system-x86_64', '--version')}; ${version('podman', '--version')}; data in ${process.env['BENCH_DIR'] ?? '/var/tmp'} (${version('findmnt', '-no', 'FSTYPE,SOURCE', '-T', process.env['BENCH_DIR'] ?? '/var/tmp').trim()})`,
  ].join('\n'),
);
