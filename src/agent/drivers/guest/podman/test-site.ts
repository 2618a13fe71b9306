// A data dir of its own with the built-in image, for the tests that run real containers.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { run } from '../../../../kernel/run.ts';
import { guestVolumes } from '../../../controllers/guest-volumes.ts';
import { createFileVolumeDriver } from '../../volume/file/driver.ts';
import { sampleServerBody, type SpecOverrides } from '../conformance.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { createPodmanDriver } from './driver.ts';
import { findPlace, type Place } from './place.ts';
import { teardownPodman } from './teardown.ts';

const buildScript = join(import.meta.dirname, '../../../../../tools/tiny-container/build.sh');

export type Site = {
  dataDir: string;
  cloudId: string;
  image: string;
  place: Place;
  make(clock?: Clock): GuestDriver;
  remove(): Promise<void>;
};

export async function makeSite(): Promise<Site> {
  const dataDir = await mkdtemp(join(tmpdir(), 'strata-podman-'));
  const cloudId = `t${randomBytes(4).toString('hex')}`;
  const image = join(dataDir, 'tiny.tar');
  await run([buildScript, image]);
  return {
    dataDir,
    cloudId,
    image,
    place: await findPlace(dataDir, cloudId),
    make: (clock = systemClock) => createPodmanDriver({ dataDir, cloudId, log: silentLog, clock }),
    async remove() {
      await teardownPodman({ dataDir, cloudId });
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function makeSpec(site: Site, overrides: SpecOverrides = {}): GuestSpec {
  const { body, ...rest } = overrides;
  return {
    id: `s-${randomBytes(6).toString('hex')}`,
    ports: [],
    volumes: [],
    imagePath: site.image,
    ...rest,
    body: sampleServerBody('container', body),
  };
}

/** Specs with one volume of a gibibyte that is held for them, or with none. */
export function volumesOf(site: Site): (spec: GuestSpec, volumeId: string | null) => Promise<GuestSpec> {
  const volumes = createFileVolumeDriver({ dir: join(site.dataDir, 'volumes'), log: silentLog });
  return async (spec, volumeId) => {
    const wanted = volumeId === null ? [] : [{ volumeId, device: '/dev/vdb', boot: false, readOnly: false }];
    for (const one of wanted) await volumes.create(one.volumeId, 1, { type: 'empty' });
    const held = await guestVolumes(volumes).hold(spec.id, wanted);
    return { ...spec, body: { ...spec.body, volumes: wanted }, volumes: held.volumes, folder: held.folder };
  };
}

/** The process of an incarnation, `pid:starttime`. */
export const pidOf = (incarnation: string | null | undefined): number => Number(incarnation?.split(':')[0]);

/** Command lines of all processes that contain `text`. */
export async function processesWith(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(text));
}
