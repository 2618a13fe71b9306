// Images as tenants may send them, the host's reboot and its full disk, on the real podman (needs root).
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep, systemClock, type Clock } from '../../../../kernel/clock.ts';
import { run } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { sampleServerBody } from '../conformance.ts';
import type { GuestDriver, GuestSpec } from '../driver.ts';
import { imageIdleMs } from './image.ts';
import { podmanProcess } from './place.ts';
import { mountsBelow } from './teardown.ts';
import { makeSite, makeSpec, pidOf, type Site } from './test-site.ts';

const timeout = 60_000;
const sha256 = (content: Buffer | string): string => createHash('sha256').update(content).digest('hex');

/** The built-in image as an OCI archive, with these annotations in its manifest. */
async function ociArchive(site: Site, annotations: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(join(site.dataDir, 'oci-'));
  await run(['tar', '-C', dir, '-xf', site.image]);
  const [saved] = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')) as [
    { Config: string; Layers: [string] },
  ];
  const blobs = join(dir, 'oci', 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const blob = async (mediaType: string, content: Buffer | string) => {
    await writeFile(join(blobs, sha256(content)), content);
    return { mediaType, digest: `sha256:${sha256(content)}`, size: Buffer.byteLength(content) };
  };
  const config = await blob(
    'application/vnd.oci.image.config.v1+json',
    await readFile(join(dir, saved.Config)),
  );
  const layer = await blob(
    'application/vnd.oci.image.layer.v1.tar',
    await readFile(join(dir, saved.Layers[0])),
  );
  const manifest = await blob(
    'application/vnd.oci.image.manifest.v1+json',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers: [layer],
      annotations,
    }),
  );
  await writeFile(join(dir, 'oci', 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    join(dir, 'oci', 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
  );
  const out = `${dir}.tar`;
  await run(['tar', '-C', join(dir, 'oci'), '-cf', out, '.']);
  return out;
}

/** A docker archive whose manifest.json is what `change` makes of the built-in one. */
async function changedArchive(
  site: Site,
  change: (manifest: { RepoTags: string[] }[]) => unknown,
): Promise<string> {
  const dir = await mkdtemp(join(site.dataDir, 'docker-'));
  await run(['tar', '-C', dir, '-xf', site.image]);
  const path = join(dir, 'manifest.json');
  await writeFile(
    path,
    JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as { RepoTags: string[] }[])),
  );
  await run(['tar', '-C', dir, '-cf', `${dir}.tar`, '.']);
  return `${dir}.tar`;
}

describe('images of tenants', () => {
  let site: Site;
  let driver: GuestDriver;
  beforeAll(async () => {
    site = await makeSite();
    driver = site.make();
    await driver.probe();
  }, timeout);
  afterAll(async () => {
    await driver?.close();
    await site?.remove();
  }, timeout);

  const withImage = (id: string, imagePath: string): GuestSpec =>
    makeSpec(site, { imagePath, body: { image: { ...sampleServerBody('container').image, id } } });
  const refusal = async (spec: GuestSpec): Promise<DriverError> => {
    const error = await driver.define(spec).then(
      () => null,
      (failure: unknown) => failure,
    );
    await driver.destroy(spec.id);
    expect(error).toBeInstanceOf(DriverError);
    return error as DriverError;
  };
  const podmanImages = async (): Promise<string[]> =>
    (await run(['podman', 'images', '--all', '--quiet', '--no-trunc'], podmanProcess(site.place))).stdout
      .split('\n')
      .filter(Boolean);

  test(
    'an OCI archive runs as a docker archive does',
    async () => {
      const spec = withImage('oci', await ociArchive(site, { 'org.opencontainers.image.title': 'tiny' }));
      await driver.define(spec);
      await driver.start(spec);
      await expect.poll(() => driver.consoleLog(spec.id, null), { timeout: 10_000 }).toMatch(/ready/);
      await driver.destroy(spec.id);
    },
    timeout,
  );

  test(
    'an image whose annotations speak to the runtime is refused by name',
    async () => {
      const own = await makeSite();
      try {
        const mine = own.make();
        const archive = await ociArchive(own, { 'run.oci.seccomp_bpf_data': 'AAAA' });
        const spec = makeSpec(own, { imagePath: archive });
        await expect(mine.define(spec)).rejects.toMatchObject({
          code: 'refused',
          message: expect.stringContaining('run.oci.seccomp_bpf_data'),
        });
        await mine.close();
      } finally {
        await own.remove();
      }
    },
    timeout,
  );

  test(
    'no archive can take the name of another image: guests get their image by id',
    async () => {
      const honest = withImage('honest', site.image);
      await driver.define(honest);
      const thief = withImage(
        'thief',
        await changedArchive(site, ([first]) => [{ ...first, RepoTags: ['localhost/strata:honest'] }]),
      );
      await driver.define(thief);
      const record = await readFile(join(site.place.images, 'honest.json'), 'utf8');
      await driver.destroy(honest.id);
      await driver.define(honest);
      expect(await readFile(join(site.place.images, 'honest.json'), 'utf8')).toBe(record);
      await driver.destroy(honest.id);
      await driver.destroy(thief.id);
    },
    timeout,
  );

  test.each([
    ['no archive', async () => join(import.meta.dirname, 'driver.ts')],
    [
      'an archive without a manifest',
      async () => {
        const out = join(site.dataDir, 'empty.tar');
        await run(['tar', '-C', import.meta.dirname, '-cf', out, 'driver.ts']);
        return out;
      },
    ],
    [
      'a manifest that points out of the archive',
      () =>
        changedArchive(site, ([first]) => [
          { ...first, Config: '../../../etc/passwd', Layers: ['../../etc/passwd'] },
        ]),
    ],
    ['a manifest that is no list', () => changedArchive(site, () => ({}))],
    ['an empty list of images', () => changedArchive(site, () => [])],
  ])(
    '%s is refused',
    async (what, archive) => {
      const error = await refusal(withImage(`bad-${what.replaceAll(' ', '-')}`, await archive()));
      expect(error.code).toBe('refused');
      expect(error.message).toMatch(/archive of one image|exactly one/);
    },
    timeout,
  );

  test(
    'an image that no guest uses is removed after its idle time, one in use stays',
    async () => {
      let skipped = 0;
      let fire: (() => void) | null = null;
      const clock: Clock = {
        now: () => Date.now() + skipped,
        timer: (ms, call) => {
          if (ms < imageIdleMs) return systemClock.timer(ms, call);
          fire = call;
          return () => (fire = null);
        },
      };
      const own = await makeSite();
      const mine = own.make(clock);
      const images = async (): Promise<string[]> => await readdir(own.place.images);
      try {
        const first = makeSpec(own);
        const second = makeSpec(own);
        for (const spec of [first, second]) await mine.define(spec);
        await mine.destroy(first.id);
        skipped += 2 * imageIdleMs;
        (fire as (() => void) | null)?.();
        await sleep(systemClock, 300);
        expect(await images()).toEqual(['image-1.json']);
        await mine.destroy(second.id);
        skipped += 2 * imageIdleMs;
        (fire as (() => void) | null)?.();
        await expect.poll(images, { timeout: 5_000 }).toEqual([]);
        const { stdout } = await run(['podman', 'images', '--all', '--quiet'], podmanProcess(own.place));
        expect(stdout.trim()).toBe('');
      } finally {
        await mine.close();
        await own.remove();
      }
    },
    timeout,
  );

  test(
    'loading an image again does not store it again',
    async () => {
      const before = await podmanImages();
      const spec = withImage('honest', site.image);
      await driver.define(spec);
      await driver.destroy(spec.id);
      expect((await podmanImages()).sort()).toEqual(before.sort());
    },
    timeout,
  );
});

test(
  'after a reboot of the host the guests are there, stopped, with what they had written, and start again',
  async () => {
    const site = await makeSite();
    let driver = site.make();
    try {
      const command = JSON.stringify(['/bin/sh', '-c', 'echo boot >>/boots; wc -l </boots; sleep 1000']);
      const spec = makeSpec(site, { body: { rebootCount: 2, properties: { 'strata:command': command } } });
      await driver.define(spec);
      await driver.start(spec);
      await expect.poll(() => driver.consoleLog(spec.id, null), { timeout: 10_000 }).toMatch(/^1$/m);
      const pid = pidOf((await driver.get(spec.id))?.incarnation);
      await driver.close();

      // what a reboot does: processes, mounts and the content of tmpfs are gone at once
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      process.kill(Number(/PPid:\s(\d+)/.exec(status)?.[1]), 'SIGKILL');
      process.kill(pid, 'SIGKILL');
      for (const point of await mountsBelow([site.place.state, site.place.volatile]))
        await run(['umount', '--lazy', point]);
      await rm(site.place.volatile, { recursive: true });

      driver = site.make();
      expect(await driver.list()).toEqual([
        {
          id: spec.id,
          power: expect.stringMatching(/stopped|crashed/),
          incarnation: null,
          rebootCount: 2,
          rebuildCount: 0,
          resizeCount: 0,
          hasOriginal: false,
        },
      ]);
      await driver.start(spec);
      expect((await driver.get(spec.id))?.power).toBe('running');
      await expect.poll(() => driver.consoleLog(spec.id, null), { timeout: 10_000 }).toMatch(/^2$/m);
    } finally {
      await driver.close();
      await site.remove();
    }
  },
  timeout,
);

test(
  'a full disk is reported as such, and the guest can be defined once there is room',
  async () => {
    const site = await makeSite();
    const driver = site.make();
    try {
      await mkdir(site.place.state, { recursive: true });
      await run(['mount', '-t', 'tmpfs', '-o', 'size=2500k', 'tmpfs', site.place.state]);
      const spec = makeSpec(site);
      const error = await driver.define(spec).then(
        () => null,
        (failure: unknown) => failure,
      );
      expect(error).toMatchObject({ code: 'no-space' });
      await run(['mount', '-o', 'remount,size=64m', site.place.state]);
      await driver.define(spec);
      await driver.start(spec);
      expect((await driver.get(spec.id))?.power).toBe('running');
    } finally {
      await driver.close();
      await site.remove();
    }
  },
  timeout,
);
