// Removes everything of one cloud from this host: processes, namespaces, devices, tables, files. Works from the
// cloud id alone, repeatable, and touches nothing that is not named after it.
import { readdir, readFile, rm } from 'node:fs/promises';
import { run } from '../../../../kernel/run.ts';
import { signal } from './dnsmasq.ts';
import { driverError, namespaceExists } from './commands.ts';
import { cloudNames } from './names.ts';

async function processesIn(ns: string): Promise<number[]> {
  const { stdout } = await run(['ip', 'netns', 'pids', ns]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Ends whatever runs in a namespace of ours; a line for each goes to `removed`. */
export async function stopProcesses(ns: string, removed: string[]): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const pids = await processesIn(ns);
    if (pids.length === 0) return;
    for (const pid of pids) {
      const command = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
      if (attempt === 0) removed.push(`process ${pid} (${command}) in namespace ${ns}`);
      signal(pid, attempt < 100 ? 'SIGTERM' : 'SIGKILL');
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const attempt = async (
  removed: string[],
  line: string,
  command: readonly [string, ...string[]],
): Promise<void> => {
  await run(command).catch((error: unknown) => {
    throw driverError(`Removing ${line}`, command[0], error);
  });
  removed.push(line);
};

/** Returns one line for each thing that it removed. */
export async function teardownLinuxNetwork({
  cloudId,
}: {
  dataDir: string;
  cloudId: string;
}): Promise<string[]> {
  const names = cloudNames(cloudId);
  const removed: string[] = [];
  const own = (name: string): boolean =>
    name === names.switchNs || ['r', 'n', 's'].some((kind) => name.startsWith(`${names.switchNs}-${kind}-`));
  const namespaces: string[] = [];
  for (const ns of (await readdir('/run/netns').catch(() => [])).filter(own).sort())
    if (await namespaceExists(ns)) namespaces.push(ns);
  for (const ns of namespaces) await stopProcesses(ns, removed);
  const links = await readdir('/sys/class/net');
  if (links.includes(names.hostDevice))
    await attempt(removed, `device ${names.hostDevice}`, ['ip', 'link', 'del', names.hostDevice]);
  for (const ns of namespaces) await attempt(removed, `namespace ${ns}`, ['ip', 'netns', 'del', ns]);
  const { stdout } = await run(['nft', 'list', 'tables']);
  if (stdout.split('\n').includes(`table inet ${names.hostTable}`))
    await attempt(removed, `table inet ${names.hostTable}`, [
      'nft',
      'delete',
      'table',
      'inet',
      names.hostTable,
    ]);
  for (const entry of (await readdir('/etc/netns').catch(() => [])).filter(own)) {
    await rm(`/etc/netns/${entry}`, { recursive: true, force: true });
    removed.push(`directory /etc/netns/${entry}`);
  }
  if ((await readdir('/run')).includes(names.runDir.slice('/run/'.length))) {
    await rm(names.runDir, { recursive: true, force: true });
    removed.push(`directory ${names.runDir}`);
  }
  return removed;
}
