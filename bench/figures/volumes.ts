// Block storage on a real ./up: how long a running guest waits for a volume, and that a snapshot costs the same
// however much the volume holds.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/kernel/run.ts';
import { line, median, ms, spread, type Figure } from '../figure.ts';
import { startRealCloud, type RealCloud } from '../load/real-cloud.ts';

const RUNS = 12;
/** MiB that the volumes of the snapshots hold. */
const WRITTEN = [0, 64, 1024] as const;
/** A snapshot is flat when a volume that is full takes less than this times what an empty one takes. */
const FLAT = 1.5;

type Volume = { id: string; status: string };

/** The volume API of one cloud, polled as closely as clients may. */
async function blockStorage(cloud: RealCloud) {
  const { api } = cloud;
  const { tenant } = await api.call<{ tenant: { project_id: string } }>('GET', '/network/v2.0/quotas/tenant');
  const base = `/volume/v3/${tenant.project_id}`;
  const until = async (kind: 'volume' | 'snapshot', id: string, status: string): Promise<number> => {
    for (const limit = performance.now() + 60_000; ; await sleep(2)) {
      const shown = (await api.call<Record<string, Volume>>('GET', `${base}/${kind}s/${id}`))[kind];
      if (shown?.status === status) return performance.now();
      if (shown?.status.startsWith('error') === true || performance.now() > limit)
        throw new Error(`${kind} ${id} is ${shown?.status}, not ${status}`);
    }
  };
  return {
    until,
    async volume(size: number): Promise<string> {
      const { volume } = await api.call<{ volume: Volume }>('POST', `${base}/volumes`, { volume: { size } });
      await until('volume', volume.id, 'available');
      return volume.id;
    },
    /** Milliseconds until the snapshot can be used; it goes afterwards. */
    async snapshot(volumeId: string): Promise<number> {
      const asked = performance.now();
      const { snapshot } = await api.call<{ snapshot: Volume }>('POST', `${base}/snapshots`, {
        snapshot: { volume_id: volumeId },
      });
      const took = (await until('snapshot', snapshot.id, 'available')) - asked;
      await api.call('DELETE', `${base}/snapshots/${snapshot.id}`);
      for (;;) {
        const { snapshots } = await api.call<{ snapshots: Volume[] }>('GET', `${base}/snapshots`);
        if (snapshots.length === 0) return took;
        await sleep(20);
      }
    },
  };
}

export const volumes: Figure = {
  name: 'volumes',
  title: `${RUNS} attachments to a running VM and ${RUNS} snapshots for each size of content, on a real ./up`,
  async measure(say) {
    const cloud = await startRealCloud('tiny');
    const attached: number[] = [];
    const detached: number[] = [];
    const taken = WRITTEN.map((): number[] => []);
    try {
      const { api } = cloud;
      const storage = await blockStorage(cloud);
      const { id } = await cloud.create('volumes');
      await cloud.untilActive(id);
      const attachments = `/compute/v2.1/servers/${id}/os-volume_attachments`;
      const volumeId = await storage.volume(1);
      // The guest has to be up before it lets go of a device.
      await sleep(5_000);
      for (let at = -1; at < RUNS; at++) {
        const asked = performance.now();
        await api.call('POST', attachments, { volumeAttachment: { volumeId } });
        const inUse = await storage.until('volume', volumeId, 'in-use');
        const left = performance.now();
        await api.call('DELETE', `${attachments}/${volumeId}`);
        const free = await storage.until('volume', volumeId, 'available');
        say(`attached in ${ms(inUse - asked)}, detached in ${ms(free - left)}`);
        if (at < 0) continue;
        attached.push(inUse - asked);
        detached.push(free - left);
      }

      const layers = join(cloud.dataDir, 'volumes', 'layers');
      const full: string[] = [];
      for (const written of WRITTEN) {
        const before = new Set(readdirSync(layers));
        const made = await storage.volume(2);
        const file = readdirSync(layers).find((name) => !before.has(name));
        if (file === undefined) throw new Error(`volume ${made} has no file in ${layers}`);
        if (written > 0)
          await run(['qemu-io', '-f', 'qcow2', '-c', `write 0 ${written}M`, join(layers, file)], {
            timeoutMs: 120_000,
          });
        full.push(made);
      }
      // In turns, so that whatever else the machine does meets all of them.
      for (let at = -1; at < RUNS; at++)
        for (const [index, one] of full.entries()) {
          const took = await storage.snapshot(one);
          if (at >= 0) taken[index]?.push(took);
        }
      say(`snapshots of ${WRITTEN.join(', ')} MiB: ${taken.map((times) => ms(median(times))).join(', ')}`);
    } finally {
      await cloud.teardown();
    }
    const empty = taken[0] ?? [];
    return [
      line('attachment: API request to in-use in a running VM', spread(attached, ms)),
      line('  API request to detached and available', spread(detached, ms)),
      ...WRITTEN.map((written, at) => {
        const times = taken[at] ?? [];
        const ratio = median(times) / median(empty);
        return line(
          `snapshot of a volume that holds ${written} MiB`,
          spread(times, ms),
          at === 0
            ? {}
            : {
                target: `< ${FLAT} x empty`,
                met: ratio < FLAT,
                rival: `${ratio.toFixed(2)} x the empty one`,
              },
        );
      }),
    ];
  },
};
