// Volumes in files on a real disk with the real qemu-img: the contract, who may open what, and chains that stay short.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../kernel/log.ts';
import { volumeDriverConformance } from '../conformance.ts';
import type { VolumeDriver, VolumeLayer } from '../driver.ts';
import { imageOf } from './disk-images.ts';
import { createFileVolumeDriver } from './driver.ts';

const UID = 0x4000_0001;

/** qemu-io as the user that the volume is held for, in the folder of its server, as a guest's process is. */
const io = (folder: string, layers: readonly VolumeLayer[], uid: number, ...commands: string[]): string =>
  execFileSync(
    'setpriv',
    [
      '--reuid',
      String(uid),
      '--regid',
      '64061',
      '--clear-groups',
      'qemu-io',
      ...commands.flatMap((one) => ['-c', one]),
      imageOf(layers),
    ],
    {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );

function place() {
  const dir = mkdtempSync(join(tmpdir(), 'strata-volumes-'));
  const open = (): VolumeDriver =>
    createFileVolumeDriver({ dir: join(dir, 'volumes'), log: silentLog, maxDepth: 4 });
  return {
    dir,
    open,
    folder: (serverId: string) => join(dir, 'volumes', 'attached', serverId),
    layers: () => readdirSync(join(dir, 'volumes', 'layers')),
  };
}

/** Text is kept as a byte count and bytes of one pattern: qemu-io writes patterns. */
const PATTERN = (text: string): number =>
  [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 251, 7) + 1;

volumeDriverConformance('file', async () => {
  const at = place();
  let driver = at.open();
  const known = new Map<number, string>([[0, '']]);
  const layersOf = async (id: string, serverId: string): Promise<VolumeLayer[]> =>
    (await driver.hold(id, serverId, UID, false)).layers;
  const learn = (text: string): number => {
    known.set(PATTERN(text), text);
    return PATTERN(text);
  };
  return {
    driver: () => driver,
    restart: async () => (driver = at.open()),
    async write(id, serverId, text) {
      io(at.folder(serverId), await layersOf(id, serverId), UID, `write -P ${learn(text)} 0 64k`);
    },
    async read(id, serverId) {
      const out = io(at.folder(serverId), await layersOf(id, serverId), UID, 'read -v 0 16');
      return known.get(Number.parseInt(/^0+:\s+([0-9a-f]{2})/m.exec(out)?.[1] ?? '', 16)) ?? out;
    },
    async image(text) {
      const path = join(at.dir, `image-${randomUUID()}`);
      writeFileSync(path, Buffer.alloc(1024 * 1024, learn(text)), { mode: 0o444 });
      return { type: 'image', imageId: randomUUID(), path, format: 'raw' };
    },
    async cleanup() {
      const left = await driver.list();
      expect(left).toEqual({ volumes: [], snapshots: [] });
      expect(at.layers()).toEqual([]);
      rmSync(at.dir, { recursive: true, force: true });
    },
  };
});

describe('volumes in files', () => {
  const at = place();
  let driver: VolumeDriver;
  beforeAll(() => {
    driver = at.open();
  });
  afterAll(() => rmSync(at.dir, { recursive: true, force: true }));

  it('only the user of the guest that holds a volume can open it, and cannot write to what is frozen', async () => {
    const [id, snapshot, server] = [randomUUID(), randomUUID(), randomUUID()];
    await driver.create(id, 1, { type: 'empty' });
    await driver.snapshot(snapshot, id);
    const { layers } = await driver.hold(id, server, UID, false);
    expect(layers).toHaveLength(2);
    io(at.folder(server), layers, UID, 'write -P 1 0 4k');
    expect(() => io(at.folder(server), layers, UID + 1, 'read 0 4k')).toThrow();
    expect(() => io(at.folder(server), layers.slice(1), UID, 'write -P 2 0 4k')).toThrow();
    await driver.release(id, server);
    expect(layers.some((layer) => existsSync(join(at.folder(server), layer.path)))).toBe(false);
    await driver.remove(id);
    await driver.removeSnapshot(snapshot);
  });

  it('snapshots and clones take no time that depends on the data', async () => {
    const [id, server] = [randomUUID(), randomUUID()];
    await driver.create(id, 1, { type: 'empty' });
    const { layers } = await driver.hold(id, server, UID, false);
    io(at.folder(server), layers, UID, 'write -P 3 0 200M');
    await driver.release(id, server);
    const before = at
      .layers()
      .reduce((sum, name) => sum + statSync(join(at.dir, 'volumes', 'layers', name)).blocks, 0);
    const [snapshot, clone] = [randomUUID(), randomUUID()];
    await driver.snapshot(snapshot, id);
    await driver.create(clone, 1, { type: 'snapshot', id: snapshot });
    const after = at
      .layers()
      .reduce((sum, name) => sum + statSync(join(at.dir, 'volumes', 'layers', name)).blocks, 0);
    expect((after - before) * 512).toBeLessThan(2 * 1024 * 1024);
    for (const one of [clone, id]) await driver.remove(one);
    await driver.removeSnapshot(snapshot);
    expect(at.layers()).toEqual([]);
  });

  it('long chains are merged in the background without a change of content, but not while a guest may still write to them', async () => {
    const [id, server] = [randomUUID(), randomUUID()];
    await driver.create(id, 1, { type: 'empty' });
    const snapshots: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const { layers } = await driver.hold(id, server, UID, false);
      io(at.folder(server), layers, UID, `write -P ${turn + 1} ${turn * 64}k 64k`);
      await driver.release(id, server);
      snapshots.push(randomUUID());
      await driver.snapshot(snapshots[turn] ?? '', id);
    }
    expect((await driver.get(id))?.depth).toBe(7);
    // Held, and frozen once more: the guest still writes to what was the top.
    await driver.hold(id, server, UID, false);
    snapshots.push(randomUUID());
    await driver.snapshot(snapshots[6] ?? '', id);
    await driver.flatten();
    expect((await driver.get(id))?.depth).toBe(8);
    const { layers } = await driver.hold(id, server, UID, false);
    await driver.settled(id, server, layers[0]?.id ?? '');
    expect(await driver.flatten()).toBeGreaterThan(0);
    expect((await driver.get(id))?.depth).toBe(2);
    const merged = await driver.hold(id, server, UID, false);
    for (let turn = 0; turn < 6; turn += 1)
      io(at.folder(server), merged.layers, UID, `read -P ${turn + 1} ${turn * 64}k 64k`);
    await driver.release(id, server);
    // A crash in the middle of a merge leaves a file that nobody names: the next start removes it.
    writeFileSync(join(at.dir, 'volumes', 'layers', 'lffffffffffffffffffffff.qcow2'), 'half');
    driver = at.open();
    const clone = randomUUID();
    await driver.create(clone, 1, { type: 'snapshot', id: snapshots[2] ?? '' });
    const held = await driver.hold(clone, server, UID, false);
    for (const [pattern, offset] of [
      [3, 128],
      [0, 192],
    ])
      io(at.folder(server), held.layers, UID, `read -P ${pattern} ${offset}k 64k`);
    await driver.release(clone, server);
    for (const one of [id, clone]) await driver.remove(one);
    for (const one of snapshots) await driver.removeSnapshot(one);
    expect(at.layers()).toEqual([]);
  }, 120_000);

  it('an image that is larger than the volume, or points to another file, is refused and nothing is left', async () => {
    const path = join(at.dir, 'big.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '3G']);
    await expect(
      driver.create(randomUUID(), 1, { type: 'image', imageId: randomUUID(), path, format: 'qcow2' }),
    ).rejects.toMatchObject({ code: 'refused' });
    const secret = join(at.dir, 'secret');
    writeFileSync(secret, Buffer.alloc(65536, 0x53), { mode: 0o600 });
    const evil = join(at.dir, 'evil.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', secret, evil, '1G']);
    const [id, server] = [randomUUID(), randomUUID()];
    await driver.create(id, 1, { type: 'image', imageId: randomUUID(), path: evil, format: 'qcow2' });
    const { layers } = await driver.hold(id, server, UID, false);
    // Its header names the secret; nobody looks at it.
    io(at.folder(server), layers, UID, 'read -P 0 0 64k');
    await driver.release(id, server);
    await driver.remove(id);
    await driver.list();
    driver = at.open();
    await driver.list();
    expect(at.layers()).toEqual([]);
  });
});
