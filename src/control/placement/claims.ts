// Claims: schedule on a snapshot kept current by revision, then a conditional update of the chosen host. The
// loser of a race reads what changed and schedules again.
import type { Tx } from '../../kernel/db/index.ts';
import type { Platform } from '../../kernel/platform.ts';
import { claimOnHost, hostsSince, releaseOnHost } from '../host/index.ts';
import type { PlacementApi, PlacementExplanation } from './index.ts';
import { schedulerHost } from './inventory.ts';
import { schedule, type SchedulerHost } from './scheduler.ts';

/** The snapshot is read anew as a whole this often: it notices hosts that fell silent, and forgets what was rolled back. */
const FULL_READ_MS = 10_000;
const MAX_TRIES = 10;

export function createClaims(platform: Platform): PlacementApi {
  const { clock, rng } = platform;
  let hosts = new Map<string, SchedulerHost>();
  let snapshot: SchedulerHost[] = [];
  let revision = 0;
  let readAt = -Infinity;

  /** True when all hosts were read anew. */
  async function refresh(tx: Tx): Promise<boolean> {
    const now = clock.now();
    const whole = now - readAt >= FULL_READ_MS;
    if (whole) {
      readAt = now;
      revision = 0;
      hosts = new Map();
    }
    const changed = await hostsSince(tx, revision);
    if (changed.length === 0) return whole;
    let grew = false;
    for (const row of changed) {
      revision = Math.max(revision, row.revision);
      const before = hosts.get(row.id);
      const host = schedulerHost(row, now);
      if (before === undefined) {
        hosts.set(row.id, host);
        grew = true;
      } else Object.assign(before, host);
    }
    if (grew) snapshot = [...hosts.values()];
    return whole;
  }

  return {
    async claim(tx, want) {
      let whole = await refresh(tx);
      for (let tries = 1; ; tries++) {
        const { host, explanation } = schedule(snapshot, want, rng);
        if (host === null && !whole) {
          // The snapshot may hold claims that were rolled back: nobody is refused because of them.
          readAt = -Infinity;
          whole = await refresh(tx);
          continue;
        }
        if (host === null) return { placed: false, explanation };
        if (await claimOnHost(tx, host.id, want, host)) {
          await tx
            .insertInto('allocations')
            .values({
              server_id: want.serverId,
              host_id: host.id,
              vcpus: want.vcpus,
              memory_mib: want.memoryMib,
              disk_gib: want.diskGib,
            })
            .execute();
          return { placed: true, hostId: host.id, hostname: host.hostname, zone: host.zone, explanation };
        }
        if (tries >= MAX_TRIES) return { placed: false, explanation };
        readAt = -Infinity;
        whole = await refresh(tx);
      }
    },
    async preview(tx, want, count) {
      for (let whole = await refresh(tx); ; whole = await refresh(tx)) {
        const local = [...snapshot];
        const chosen: SchedulerHost[] = [];
        let explanation: PlacementExplanation | null = null;
        while (chosen.length < count) {
          const group = want.group && {
            ...want.group,
            hostIds: [...want.group.hostIds, ...chosen.map((host) => host.id)],
          };
          const choice = schedule(local, { ...want, group, serverId: '' }, rng);
          ({ explanation } = choice);
          if (choice.host === null) break;
          const { host } = choice;
          chosen.push(host);
          local[local.indexOf(host)] = {
            ...host,
            usedVcpus: host.usedVcpus + want.vcpus,
            usedMemoryMib: host.usedMemoryMib + want.memoryMib,
            usedDiskGib: host.usedDiskGib + want.diskGib,
          };
        }
        // As in a claim: what was remembered may be of claims that were rolled back.
        if (chosen.length < count && !whole) readAt = -Infinity;
        else
          return {
            hosts: chosen.map(({ hostname, zone }) => ({ hostname, zone })),
            explanation: explanation ?? { considered: 0, refused: {}, examples: [], scores: {} },
          };
      }
    },
    async move(tx, from, to) {
      const row = await tx
        .updateTable('allocations')
        .set({ server_id: to })
        .where('server_id', '=', from)
        .returningAll()
        .executeTakeFirst();
      return {
        vcpus: row?.vcpus ?? 0,
        memoryMib: row?.memory_mib ?? 0,
        diskGib: row?.disk_gib ?? 0,
      };
    },
    async release(tx, serverId) {
      const row = await tx
        .deleteFrom('allocations')
        .where('server_id', '=', serverId)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return null;
      const had = { vcpus: row.vcpus, memoryMib: row.memory_mib, diskGib: row.disk_gib };
      await releaseOnHost(tx, row.host_id, had);
      return had;
    },
  };
}
