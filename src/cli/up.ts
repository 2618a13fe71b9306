// `up`: control and agent in one process on the embedded database. Guests, containers and their networks
// are not its children: it comes and goes, they stay.
import { fileObjects } from '../control/volume/index.ts';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import ipaddr from 'ipaddr.js';
import { createControl } from '../control/app.ts';
import { parseSource } from '../control/image/index.ts';
import { readSettings, type Settings } from '../control/identity/index.ts';
import { DriverError } from '../agent/drivers/errors.ts';
import { systemClock } from '../kernel/clock.ts';
import { openSqlite } from '../kernel/db/sqlite.ts';
import { systemIds } from '../kernel/ids.ts';
import { createLog, type LogLevel } from '../kernel/log.ts';
import { run } from '../kernel/run.ts';
import { VERSION } from '../kernel/version.ts';
import { prepareBuiltinImages } from './builtin-images.ts';
import {
  lockDataDir,
  newCloudId,
  readCloudFile,
  UsageError,
  writeCloudFile,
  writeCloudsYaml,
  type CloudFile,
} from './data-dir.ts';
import { runDemo } from './demo.ts';
import { startHost } from './host.ts';

export type UpOptions = {
  dataDir: string;
  listen?: { host: string; port: number };
  tlsCert?: string;
  tlsKey?: string;
  tlsSelfSigned?: boolean;
  /** Where users may have images downloaded from, one URL of a host each. */
  imagesFrom?: readonly string[];
  demo?: boolean;
  logLevel: LogLevel;
};

const REGION = 'RegionOne';
const DEFAULT_PORT = 8770;
const STOP_LIMIT_MS = 4_500;
/** Where tools/start.sh has the web console built. */
const CONSOLE_DIR = join(import.meta.dirname, '../../.cache/console');

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || (ipaddr.isValid(bare) && ipaddr.parse(bare).range() === 'loopback');
}

/** The address, held until it is released for the API to listen on; a string is the system's code for why not. */
type Held = {
  port: number;
  /** May be repeated. */
  release(): Promise<void>;
};
async function hold(host: string, port: number): Promise<Held | string> {
  return new Promise((answer) => {
    const holder = createServer((socket) => socket.destroy());
    holder.once('error', (error: NodeJS.ErrnoException) => answer(error.code ?? error.message));
    holder.listen({ host: host.replace(/^\[|\]$/g, ''), port, exclusive: true }, () =>
      answer({ port, release: () => new Promise((released) => holder.close(() => released())) }),
    );
  });
}

function refuseListen(host: string, port: number, code: string): UsageError {
  const address = `${host}:${port}`;
  if (code === 'EADDRINUSE')
    return new UsageError(
      `${address} is in use by another program. Choose another address with --listen ADDRESS:PORT.`,
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new UsageError(
      `${host} is no address of this machine. Choose one that is with --listen ADDRESS:PORT.`,
    );
  return new UsageError(
    `${address} cannot be listened on (${code}). Choose another address with --listen ADDRESS:PORT.`,
  );
}

async function holdFreePort(host: string): Promise<Held> {
  for (let port = DEFAULT_PORT; port < DEFAULT_PORT + 200; port++) {
    const held = await hold(host, port);
    if (typeof held !== 'string') return held;
    if (held !== 'EADDRINUSE') throw refuseListen(host, port, held);
  }
  throw new UsageError(
    `No port between ${DEFAULT_PORT} and ${DEFAULT_PORT + 199} is free on ${host}. Choose one with --listen.`,
  );
}

async function holdAddress(host: string, port: number, pinned: boolean): Promise<Held> {
  if (port === 0) return holdFreePort(host);
  const held = await hold(host, port);
  if (typeof held !== 'string') return held;
  // A port that nobody asked for gives way to another program, e.g. a second cloud that was quicker.
  if (!pinned && held === 'EADDRINUSE') return holdFreePort(host);
  throw refuseListen(host, port, held);
}

/** A /24 for the external network that no route of this machine covers. */
async function freeExternalCidr(): Promise<string> {
  const routes = JSON.parse((await run(['ip', '-j', '-4', 'route', 'show', 'table', 'all'])).stdout) as {
    dst?: string;
  }[];
  const taken = routes
    .flatMap(({ dst }) =>
      dst === undefined || dst === 'default' ? [] : [dst.includes('/') ? dst : `${dst}/32`],
    )
    .filter((dst) => ipaddr.isValidCIDR(dst))
    .map((dst) => ipaddr.parseCIDR(dst));
  // Not the first that is free: two clouds that start at the same time would both take it.
  const start = Math.floor(Math.random() * 252);
  for (let tries = 0; tries < 252; tries++) {
    const at = 4 + ((start + tries) % 252);
    const first = ipaddr.parse(`172.24.${at}.0`);
    if (
      !taken.some(
        ([net, bits]) =>
          net.kind() === 'ipv4' && (first.match(net, Math.min(bits, 24)) || net.match(first, 24)),
      )
    )
      return `172.24.${at}.0/24`;
  }
  throw new UsageError(
    'Every /24 of 172.24.0.0/16 is in use on this machine; the external network needs one.',
  );
}

/** The cloud of the data dir, and its address, held until the API listens. */
async function cloudOf(options: UpOptions): Promise<{ cloud: CloudFile; held: Held }> {
  const kept = await readCloudFile(options.dataDir);
  const host = options.listen?.host ?? kept?.host ?? '127.0.0.1';
  const pinned = options.listen === undefined ? (kept?.pinned ?? false) : options.listen.port !== 0;
  const held = await holdAddress(host, options.listen?.port ?? kept?.port ?? 0, pinned);
  const cloud: CloudFile = {
    cloudId: kept?.cloudId ?? newCloudId(),
    host,
    port: held.port,
    pinned,
    externalCidr: kept?.externalCidr ?? (await freeExternalCidr()),
  };
  if (JSON.stringify(cloud) !== JSON.stringify(kept)) await writeCloudFile(options.dataDir, cloud);
  return { cloud, held };
}

function checkImageSources(sources: readonly string[]): void {
  for (const source of sources) {
    try {
      parseSource(source);
    } catch (error) {
      throw new UsageError(`--images-from: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

type Tls = { cert: string; key: string; certFile: string };

async function tlsOf(options: UpOptions, host: string): Promise<Tls | null> {
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined))
    throw new UsageError('--tls-cert and --tls-key go together.');
  let certFile = options.tlsCert;
  let keyFile = options.tlsKey;
  if (options.tlsSelfSigned === true) {
    const dir = join(options.dataDir, 'tls');
    certFile = join(dir, 'cert.pem');
    keyFile = join(dir, 'key.pem');
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const bare = host.replace(/^\[|\]$/g, '');
    const names = `${ipaddr.isValid(bare) ? 'IP' : 'DNS'}:${bare},IP:127.0.0.1,DNS:localhost`;
    const present = await readFile(certFile).catch(() => null);
    if (present === null)
      await run([
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '825',
        '-subj',
        '/CN=strata',
        '-addext',
        `subjectAltName=${names}`,
        '-keyout',
        keyFile,
        '-out',
        certFile,
      ]);
  }
  if (certFile === undefined || keyFile === undefined) {
    if (!isLoopback(host))
      throw new UsageError(
        `${host} is not a loopback address: passwords and tokens would cross the network in the clear. Give --tls-cert and --tls-key, or --tls-self-signed.`,
      );
    return null;
  }
  const cert = await readPem('--tls-cert', certFile);
  const key = await readPem('--tls-key', keyFile);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new UsageError(
      `${certFile} and ${keyFile} are not a certificate and its key in PEM: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  return { cert, key, certFile: resolve(certFile) };
}

async function readPem(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function identitySettings(dataDir: string): Settings {
  try {
    return readSettings(join(dataDir, 'identity.yaml'));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function openDatabase(file: string): ReturnType<typeof openSqlite> {
  try {
    return openSqlite({ file });
  } catch (error) {
    throw new UsageError(
      `The database ${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}. Put back a copy of it, or give another --data-dir.`,
    );
  }
}

/** Runs until a signal; returns the exit code. */
export async function up(given: UpOptions): Promise<number> {
  const began = performance.now();
  const options = { ...given, dataDir: resolve(given.dataDir) };
  const log = createLog(options.logLevel);
  let unlock = async (): Promise<void> => {};
  try {
    unlock = await lockDataDir(options.dataDir);
    return await runCloud(options, log, began);
  } catch (error) {
    process.stderr.write(`strata: ${error instanceof Error ? error.message : String(error)}\n`);
    // What nobody foresaw: where it came from is for who looks for it.
    if (!(error instanceof UsageError || error instanceof DriverError))
      log.debug({ stack: error instanceof Error ? error.stack : null }, 'the cloud did not start');
    return 1;
  } finally {
    await unlock();
  }
}

async function runCloud(
  options: UpOptions,
  log: ReturnType<typeof createLog>,
  began: number,
): Promise<number> {
  const { cloud, held } = await cloudOf(options);
  try {
    return await serveCloud(options, log, began, cloud, held);
  } finally {
    await held.release();
  }
}

async function serveCloud(
  options: UpOptions,
  log: ReturnType<typeof createLog>,
  began: number,
  cloud: CloudFile,
  held: Held,
): Promise<number> {
  const { dataDir } = options;
  checkImageSources(options.imagesFrom ?? []);
  const tls = await tlsOf(options, cloud.host);
  if (process.getuid?.() !== 0)
    throw new UsageError(
      'A cloud needs root, for network namespaces, devices and guests. Start it as root (sudo ./up).',
    );
  const url = `${tls === null ? 'http' : 'https'}://${cloud.host}:${cloud.port}`;
  const identity = identitySettings(dataDir);
  const passwords = await writeCloudsYaml(dataDir, url, REGION, tls?.certFile ?? null);
  const builtin = await prepareBuiltinImages(dataDir, say);
  const db = openDatabase(join(dataDir, 'strata.db'));
  const gateway = cloud.externalCidr.replace(/\.0\/24$/, '.1');
  const control = await createControl({
    identity,
    db,
    clock: systemClock,
    ids: systemIds,
    rng: Math.random,
    log,
    publicUrl: url,
    region: REGION,
    version: VERSION,
    keyDir: join(dataDir, 'keys'),
    imageDir: join(dataDir, 'images'),
    ...(options.imagesFrom === undefined ? {} : { imagesFrom: options.imagesFrom }),
    backups: fileObjects(join(dataDir, 'backups')),
    passwords,
    external: { cidr: cloud.externalCidr, gateway },
    consoleDir: CONSOLE_DIR,
    ...(tls === null ? {} : { tls }),
  });
  for (const image of builtin) await control.images.addBuiltin(image, control.adminProjectId);
  const host = await startHost({ dataDir, cloud, link: control.link, clock: systemClock, log });
  await held.release();
  await control.http.listen({ host: cloud.host.replace(/^\[|\]$/g, ''), port: cloud.port });

  const stopped = Promise.withResolvers<number>();
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    // Whatever hangs, the promise is under five seconds; everything acknowledged is on disk already.
    setTimeout(() => {
      log.warn(
        { limitMs: STOP_LIMIT_MS },
        'stopping took too long; what is under way goes on with the next start',
      );
      process.exit(0);
    }, STOP_LIMIT_MS).unref();
    void (async () => {
      await control.stop();
      await host.stop();
      await db.close();
      stopped.resolve(0);
    })().catch((error: unknown) => {
      log.error({ error: String(error) }, 'stopping failed');
      stopped.resolve(1);
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);

  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(
    `Strata is ready at ${url} (web console and API) after ${seconds} s. Credentials: ${join(dataDir, 'clouds.yaml')} (clouds: strata, demo)`,
  );
  if (options.demo === true) {
    try {
      await runDemo({
        url,
        password: passwords.demo,
        say,
        fetchOptions: tls === null ? {} : { ca: tls.cert },
      });
      say('The cloud keeps running; stop it with Ctrl-C. Guests run on without it.');
    } catch (error) {
      if (stopping) return stopped.promise; // by a signal: of course it did not finish
      process.stderr.write(
        `strata: the demo did not finish: ${error instanceof Error ? error.message : String(error)}\n`,
      );
      stop();
      await stopped.promise;
      return 1;
    }
  }
  return stopped.promise;
}
