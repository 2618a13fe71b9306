// What every simulated cloud begins with, made once a test process by the real program: a migrated and
// bootstrapped database that each world copies, the signing keys, and a token for each user.
import { fileObjects, type BackupObjects } from '../control/volume/index.ts';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createControl, type Control } from '../control/app.ts';
import type { ContentStore } from '../control/image/index.ts';
import { systemClock, type Clock } from '../kernel/clock.ts';
import type { Database } from '../kernel/db/index.ts';
import { openSqlite } from '../kernel/db/sqlite.ts';
import { type Ids, type Rng, seededIds, seededRng } from '../kernel/ids.ts';
import { silentLog, type Log } from '../kernel/log.ts';

/** A test file's templates go with it: workers of the test runner are ended without an exit event. */
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** When every simulated cloud begins. */
export const BEGINNING = Date.UTC(2026, 0, 1);

export type Template = {
  dir: string;
  /** X-Auth-Token of `admin` in project admin and of `demo` in project demo. */
  tokens: Record<'admin' | 'demo', string>;
  projectId: string;
  images: Record<'vm' | 'container', string>;
  /** 1 vCPU, 512 MiB, 1 GiB. */
  flavorId: string;
  /** 2 vCPUs, 1024 MiB, 2 GiB. */
  largerFlavorId: string;
  /** Copies the database into a folder of its own; returns the file. */
  copy(): { file: string; remove(): void };
};

const PASSWORDS = { admin: 'simulated-admin', demo: 'simulated-demo' };

export function controlOver(
  dir: string,
  parts: {
    db: Database;
    clock: Clock;
    ids: Ids;
    rng: Rng;
    log: Log;
    backups: BackupObjects;
    contents?: ContentStore;
  },
): Promise<Control> {
  return createControl({
    ...parts,
    publicUrl: 'http://cloud.test',
    region: 'RegionOne',
    version: 'simulated',
    keyDir: join(dir, 'keys'),
    imageDir: join(dir, 'images'),
    passwords: PASSWORDS,
    external: { cidr: '172.24.0.0/16', gateway: '172.24.0.1' },
  });
}

async function login(control: Control, name: 'admin' | 'demo'): Promise<string> {
  const answer = await control.http.inject({
    method: 'POST',
    url: '/identity/v3/auth/tokens',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name, domain: { id: 'default' }, password: PASSWORDS[name] } },
        },
        scope: { project: { name, domain: { id: 'default' } } },
      },
    }),
  });
  const token = answer.headers['x-subject-token'];
  if (typeof token !== 'string')
    throw new Error(`${name} could not log in: ${answer.statusCode} ${answer.body}`);
  return token;
}

async function build(): Promise<Template> {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'strata-sim-'));
  folders.push(dir);
  const file = join(dir, 'template.db');
  const db = openSqlite({ file, synchronous: 'OFF' });
  const rng = seededRng(0);
  const clock: Clock = { now: () => BEGINNING, timer: systemClock.timer };
  const control = await controlOver(dir, {
    db,
    clock,
    ids: seededIds(rng),
    rng,
    log: silentLog,
    backups: fileObjects(join(dir, 'backups')),
  });
  const tokens = { admin: await login(control, 'admin'), demo: await login(control, 'demo') };

  const content = join(dir, 'image');
  writeFileSync(content, Buffer.alloc(64 * 1024));
  const image = { path: content, diskFormat: 'raw', containerFormat: 'bare', minRam: 0, minDisk: 0 };
  await control.images.addBuiltin({ ...image, name: 'vm', properties: {} }, control.adminProjectId);
  await control.images.addBuiltin(
    { ...image, name: 'container', properties: { 'strata:type': 'container' } },
    control.adminProjectId,
  );
  const images = new Map(
    (await db.read.selectFrom('images').select(['id', 'name']).execute()).map((row) => [row.name, row.id]),
  );
  const project = await db.read
    .selectFrom('projects')
    .select('id')
    .where('name', '=', 'demo')
    .executeTakeFirstOrThrow();
  const flavor = async (spec: object): Promise<string> => {
    const made = await control.http.inject({
      method: 'POST',
      url: '/compute/v2.1/flavors',
      headers: { 'content-type': 'application/json', 'x-auth-token': tokens.admin },
      payload: JSON.stringify({ flavor: spec }),
    });
    if (made.statusCode !== 200) throw new Error(`the flavor was refused: ${made.body}`);
    return (JSON.parse(made.body) as { flavor: { id: string } }).flavor.id;
  };
  const flavorId = await flavor({ name: 'sim', vcpus: 1, ram: 512, disk: 1 });
  const largerFlavorId = await flavor({ name: 'sim-larger', vcpus: 2, ram: 1024, disk: 2 });
  await control.stop();
  await db.close();

  let copies = 0;
  return {
    dir,
    tokens,
    projectId: project.id,
    images: { vm: images.get('vm') ?? '', container: images.get('container') ?? '' },
    flavorId,
    largerFlavorId,
    copy() {
      const folder = join(dir, `world-${copies++}`);
      mkdirSync(folder);
      copyFileSync(file, join(folder, 'strata.db'));
      return {
        file: join(folder, 'strata.db'),
        remove: () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  };
}

let built: Promise<Template> | null = null;
export const template = (): Promise<Template> => (built ??= build());
