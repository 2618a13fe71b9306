// The program under load: the whole control plane on SQLite as `up` opens it, and simulated hosts, in a process
// of its own. Started by sim-cloud.ts; says how to reach it over IPC and answers questions there.
import { join } from 'node:path';
import { fileObjects } from '../../src/control/volume/index.ts';
import { createControl } from '../../src/control/app.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { openPostgres } from '../../src/kernel/db/postgres.ts';
import { openSqlite } from '../../src/kernel/db/sqlite.ts';
import { newSecret, systemIds } from '../../src/kernel/ids.ts';
import { createLog } from '../../src/kernel/log.ts';
import { startSimHosts } from './sim-hosts.ts';

export type Settings = { dir: string; hosts: number; port: number; postgres: string | null };
export type Started = { url: string; passwords: { admin: string; demo: string } };
export type Question = 'hosts' | 'active' | 'stop';

const settings = JSON.parse(process.argv[2] ?? '') as Settings;
const url = `http://127.0.0.1:${settings.port}`;
const passwords = { admin: newSecret(), demo: newSecret() };
const log = createLog('error');
const db =
  settings.postgres === null
    ? openSqlite({ file: `${settings.dir}/strata.db` })
    : await openPostgres({ url: settings.postgres, schema: `bench_${systemIds.hex()}`, rng: Math.random });
const control = await createControl({
  db,
  clock: systemClock,
  ids: systemIds,
  rng: Math.random,
  log,
  publicUrl: url,
  region: 'RegionOne',
  version: 'bench',
  keyDir: `${settings.dir}/keys`,
  imageDir: `${settings.dir}/images`,
  backups: fileObjects(`${settings.dir}/images`),
  passwords,
  external: { cidr: '172.24.4.0/24', gateway: '172.24.4.1' },
  consoleDir: join(import.meta.dirname, '../../.cache/console'),
});
const agents = await startSimHosts(settings.hosts, control.link, log);
await control.http.listen({ host: '127.0.0.1', port: settings.port });

async function count(question: Question): Promise<number> {
  const { read } = db;
  if (question === 'hosts') return (await read.selectFrom('hosts').select('id').execute()).length;
  const { n } = await read
    .selectFrom('servers')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('status', '=', 'ACTIVE')
    .executeTakeFirstOrThrow();
  return Number(n);
}

process.on('message', (question: Question) => {
  if (question !== 'stop') return void count(question).then((answer) => process.send?.(answer));
  void (async () => {
    await control.stop();
    for (const agent of agents) await agent.stop();
    await db.close();
    process.exit(0);
  })();
});
process.on('disconnect', () => process.exit(1));
process.send?.({ url, passwords } satisfies Started);
