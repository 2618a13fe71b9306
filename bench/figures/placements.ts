// Placements on five thousand hosts: the pure scheduler, and with the claim in the database.
import { createClaims } from '../../src/control/placement/claims.ts';
import { schedulerHost } from '../../src/control/placement/inventory.ts';
import type { PlacementRequest } from '../../src/control/placement/index.ts';
import { schedule } from '../../src/control/placement/scheduler.ts';
import { placementMigrations } from '../../src/control/placement/table.ts';
import { hostMigrations, hostsSince } from '../../src/control/host/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { migrate, type Database } from '../../src/kernel/db/index.ts';
import { openSqlite } from '../../src/kernel/db/sqlite.ts';
import { seededRng, systemIds } from '../../src/kernel/ids.ts';
import { testPlatform } from '../../src/testkit/http.ts';
import { cpuSeconds, line, median, rate, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';

const HOSTS = 5000;
const PLACEMENTS = 4000;
const RUNS = 5;
const TARGET = 3750;

const wanted = (): PlacementRequest => ({
  serverId: systemIds.uuid(),
  type: 'vm',
  vcpus: 1,
  memoryMib: 512,
  diskGib: 1,
  zone: null,
  hostname: null,
  architecture: 'x86_64',
  capabilities: [],
  group: null,
});

async function addHosts(db: Database): Promise<void> {
  const rng = seededRng(1);
  const now = systemClock.now();
  const facts = JSON.stringify({
    architecture: 'x86_64',
    guests: [
      { type: 'vm', capabilities: ['pause', 'suspend'] },
      { type: 'container', capabilities: ['pause'] },
    ],
  });
  await db.tx(async (tx) => {
    for (let at = 0; at < HOSTS; at++)
      await tx
        .insertInto('hosts')
        .values({
          id: systemIds.uuid(),
          hostname: `host-${at}`,
          facts,
          vcpus: 32,
          memory_mib: 131_072,
          disk_gib: 2_000,
          zone: `zone-${at % 3}`,
          used_vcpus: Math.floor(rng() * 64),
          used_memory_mib: Math.floor(rng() * 100_000),
          used_disk_gib: Math.floor(rng() * 1_000),
          servers: 0,
          enabled: 1,
          forced_down: 0,
          disabled_reason: '',
          registered_at: now,
          seen_at: now + 3_600_000,
          revision: at + 1,
        })
        .execute();
    await tx.insertInto('counters').values({ name: 'host-revision', value: HOSTS }).execute();
  });
}

export const placements: Figure = {
  name: 'placements',
  title: `${RUNS} x ${PLACEMENTS} placements on ${HOSTS} hosts`,
  measure: (say) =>
    withFolder(async (dir) => {
      const db = openSqlite({ file: `${dir}/strata.db` });
      try {
        await migrate(db, systemClock.now(), [...hostMigrations, ...placementMigrations]);
        await addHosts(db);
        const snapshot = (await hostsSince(db.read, 0)).map((row) => schedulerHost(row, systemClock.now()));
        const rng = seededRng(2);
        const pure = Array.from({ length: RUNS }, () => {
          const began = cpuSeconds(process.pid);
          for (let at = 0; at < PLACEMENTS; at++) {
            const want = wanted();
            const { host } = schedule(snapshot, want, rng);
            if (host === null) throw new Error('no host was found');
            host.usedVcpus += want.vcpus;
            host.usedMemoryMib += want.memoryMib;
            host.usedDiskGib += want.diskGib;
          }
          return PLACEMENTS / (cpuSeconds(process.pid) - began);
        });
        say(`scheduler ${rate(median(pure))}`);
        const claims = createClaims(testPlatform(db));
        const claimed: number[] = [];
        const onOneCore: number[] = [];
        for (let run = 0; run < RUNS; run++) {
          const began = performance.now();
          const cpu = cpuSeconds(process.pid);
          await concurrently(PLACEMENTS / 4, 48, async () => {
            if (!(await db.tx((tx) => claims.claim(tx, wanted()))).placed)
              throw new Error('a claim was refused');
          });
          claimed.push((PLACEMENTS * 250) / (performance.now() - began));
          onOneCore.push(PLACEMENTS / 4 / (cpuSeconds(process.pid) - cpu));
        }
        return [
          line(`placements on ${HOSTS} hosts, scheduler, one core`, spread(pure, rate), {
            target: `>= ${TARGET}/s`,
            met: median(pure) >= TARGET,
          }),
          line('  with a durable claim each (SQLite)', spread(claimed, rate), {
            rival: `in a second of CPU ${rate(median(onOneCore))}`,
          }),
        ];
      } finally {
        await db.close();
      }
    }),
};
