// The data dir of a cloud: its identity, its lock, its credentials. Everything else of the cloud lives below it
// or carries its cloud id in the name.
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parse, stringify } from 'yaml';
import { newSecret } from '../kernel/ids.ts';

const CloudFile = Type.Object({
  /** Part of the names of all devices, namespaces and tables: unique on the machine. */
  cloudId: Type.String({ pattern: '^[a-z][a-z0-9]{5,9}$' }),
  host: Type.String(),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  /** The user named the port: it never gives way to another. */
  pinned: Type.Optional(Type.Boolean()),
  externalCidr: Type.String(),
});
export type CloudFile = Static<typeof CloudFile>;
const checkCloudFile = Compile(CloudFile);

export class UsageError extends Error {}

const cloudFile = (dataDir: string): string => join(dataDir, 'cloud.json');

/** Writes whole or not at all. */
export async function writeWhole(path: string, content: string, mode: number): Promise<void> {
  const file = await open(`${path}.tmp`, 'w', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(`${path}.tmp`, mode);
  await rename(`${path}.tmp`, path);
}

export const newCloudId = (): string => {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const random = crypto.getRandomValues(new Uint8Array(8));
  return [...random]
    .map((byte, at) => (at === 0 ? letters[byte % 26] : (letters + '0123456789')[byte % 36]))
    .join('');
};

/** null: no cloud was ever started here. */
export async function readCloudFile(dataDir: string): Promise<CloudFile | null> {
  if (!existsSync(cloudFile(dataDir))) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(cloudFile(dataDir), 'utf8'));
  } catch {
    parsed = null;
  }
  if (!checkCloudFile.Check(parsed))
    throw new UsageError(`${cloudFile(dataDir)} is damaged: it is not the description of a cloud.`);
  return parsed;
}

export const writeCloudFile = (dataDir: string, cloud: CloudFile): Promise<void> =>
  writeWhole(cloudFile(dataDir), `${JSON.stringify(cloud, null, 2)}\n`, 0o600);

/** pid and start time of a live process; null when it is gone or a zombie. */
async function processIdentity(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : `${pid} ${fields[19] ?? ''}`;
  } catch {
    return null;
  }
}

/** The pid of the control plane that runs on this data dir; null: none. */
export async function runningPid(dataDir: string): Promise<number | null> {
  const held = await readFile(join(dataDir, 'lock'), 'utf8').catch(() => '');
  const pid = Number(held.split(' ')[0]);
  return pid > 0 && (await processIdentity(pid)) === held.trim() ? pid : null;
}

/** All that a cloud ever writes at the top of its data dir; `teardown` removes these and nothing else. */
export const dataDirEntries = [
  'cloud.json', 'clouds.yaml', 'lock', 'strata.db', 'strata.db-shm', 'strata.db-wal', 'tls', 'keys', 'images', 'builtin', 'agent',
  'guests', 'podman', 'network', 'volumes', 'exports', 'qemu-accelerator.json',
] as const; // prettier-ignore

/** A folder that holds something else is not taken for a data dir. */
async function refuseForeignFolder(dataDir: string): Promise<void> {
  if (existsSync(cloudFile(dataDir))) return;
  // Another start may be taking its lock.
  const foreign = (await readdir(dataDir)).filter(
    (name) => !(dataDirEntries as readonly string[]).includes(name) && !name.startsWith('lock.'),
  );
  if (foreign.length > 0)
    throw new UsageError(
      `${dataDir} is no data dir of Strata and not empty (it holds ${foreign.slice(0, 3).join(', ')}). Give an empty or new folder with --data-dir.`,
    );
}

const asText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** mkdir -p by hand: Node's own never returns below a directory that takes no entries, such as /proc. */
async function makeDir(dir: string): Promise<void> {
  if (existsSync(dir)) return;
  if (dirname(dir) !== dir) await makeDir(dirname(dir));
  await mkdir(dir, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

/** Makes the data dir and takes its lock; throws UsageError when another process holds it. Returns the release. */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  try {
    await makeDir(dataDir);
    await refuseForeignFolder(dataDir);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `The data dir ${dataDir} cannot be used: ${asText(error)}. Choose another with --data-dir DIR.`,
    );
  }
  const path = join(dataDir, 'lock');
  const self = (await processIdentity(process.pid)) ?? '';
  const own = `${path}.${process.pid}`;
  try {
    await writeFile(own, self, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`The data dir ${dataDir} cannot be written: ${asText(error)}.`);
  }
  for (let tries = 0; tries < 3; tries++) {
    try {
      // Linked with its content: nobody ever sees a lock that does not say whose it is.
      await link(own, path);
      await rm(own, { force: true });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = await runningPid(dataDir);
      if (holder !== null) {
        await rm(own, { force: true });
        throw new UsageError(
          `The cloud in ${dataDir} already runs (process ${holder}). Stop it first, or give another --data-dir.`,
        );
      }
      // Of a process that is gone; unless another start has just replaced it, then that one goes back.
      const stale = `${own}.stale`;
      await rename(path, stale).catch(() => {});
      const held = (await readFile(stale, 'utf8').catch(() => '')).trim();
      if (held !== '' && held !== self && (await processIdentity(Number(held.split(' ')[0]))) === held)
        await link(stale, path).catch(() => {});
      await rm(stale, { force: true });
    }
  }
  await rm(own, { force: true });
  throw new UsageError(`${path} could not be taken.`);
}

export type Passwords = { admin: string; demo: string };

type CloudsYaml = { clouds?: Record<string, { auth?: { password?: unknown } }> };

/** The credentials file of clients: passwords are random, made once, and kept. */
export async function writeCloudsYaml(
  dataDir: string,
  url: string,
  region: string,
  caFile: string | null,
): Promise<Passwords> {
  const path = join(dataDir, 'clouds.yaml');
  let kept: CloudsYaml | null = null;
  try {
    if (existsSync(path)) kept = parse(await readFile(path, 'utf8')) as CloudsYaml | null;
  } catch (error) {
    // Not written anew: it may hold the only copy of the passwords.
    throw new UsageError(
      `${path} is damaged: ${asText(error).split('\n')[0]}. Mend it, or remove it to get new passwords.`,
    );
  }
  const passwordOf = (cloud: string): string => {
    const password = kept?.clouds?.[cloud]?.auth?.password;
    return typeof password === 'string' && password.length > 0 ? password : newSecret();
  };
  const passwords = { admin: passwordOf('strata'), demo: passwordOf('demo') };
  const entry = (user: string, password: string) => ({
    auth: {
      auth_url: `${url}/identity`,
      username: user,
      password,
      project_name: user,
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    },
    region_name: region,
    identity_api_version: 3,
    ...(caFile === null ? {} : { cacert: caFile }),
  });
  const content = stringify({
    clouds: { strata: entry('admin', passwords.admin), demo: entry('demo', passwords.demo) },
  });
  await writeWhole(path, content, 0o600);
  return passwords;
}
