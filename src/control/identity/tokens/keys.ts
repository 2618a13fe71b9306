// The signing keys: one PEM file each in a folder that all replicas share. The newest that all of them can have seen
// signs; the others only verify, until the last token that they signed has expired.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';

export type SigningKey = {
  /** `<milliseconds since the epoch>-<random>`: also the file's name, so that names sort by age. */
  id: string;
  createdAt: number;
  /** The first part of every token that this key signs. */
  header: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
};

export type KeyRing = {
  signing(): SigningKey;
  /** Milliseconds since the epoch. */
  newestCreatedAt(): number;
  /** The key whose tokens begin with this first part; it must be that part byte by byte. */
  byHeader(header: string): SigningKey | undefined;
  /** Makes a new signing key and forgets those whose tokens have all expired. */
  rotate(): void;
};

const FILE = /^(\d{14}-[0-9a-f]{16})\.pem$/;
/** A token with an unknown key makes the folder be read again, but not more often than this. */
const RESCAN_MS = 5_000;
/** Who signs reads the folder this often, so that no process goes on with an old key. */
const SIGNING_RESCAN_MS = 30_000;
/** A new key signs only when every process must have seen it; its predecessor is kept as much longer. */
const SETTLE_MS = 2 * SIGNING_RESCAN_MS;

const headerOf = (id: string): string =>
  Buffer.from(JSON.stringify({ alg: 'ES256', kid: id, typ: 'JWT' })).toString('base64url');

function readPrivateKey(file: string): KeyObject {
  try {
    return createPrivateKey(readFileSync(file));
  } catch (error) {
    throw new Error(
      `${file} is damaged: it is not a private key in PEM. Delete it: a new one is made, and tokens signed by the old one end.`,
      { cause: error },
    );
  }
}

function readKey(dir: string, id: string): SigningKey {
  const file = join(dir, `${id}.pem`);
  if ((statSync(file).mode & 0o077) !== 0)
    throw new Error(
      `${file}: a signing key must be readable by its owner only; check who has read it, then chmod 600 or delete it`,
    );
  const privateKey = readPrivateKey(file);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error(`${file}: not a P-256 key`);
  return {
    id,
    createdAt: Number(id.slice(0, 14)),
    header: headerOf(id),
    privateKey,
    publicKey: createPublicKey(privateKey),
  };
}

/** Complete or absent: a crash between the two leaves a file that nobody reads. */
function writeKey(dir: string, now: number): string {
  const id = `${String(now).padStart(14, '0')}-${randomBytes(8).toString('hex')}`;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const unfinished = join(dir, `${id}.new`);
  const file = openSync(unfinished, 'wx', 0o600);
  try {
    writeSync(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, join(dir, `${id}.pem`));
  return id;
}

export function openKeyRing(dir: string, clock: Clock, tokenTtlMs: number): KeyRing {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  let keys: SigningKey[] = [];
  let byHeader = new Map<string, SigningKey>();
  let scannedAt = 0;
  const scan = (): void => {
    scannedAt = clock.now();
    const ids = readdirSync(dir)
      .flatMap((name) => FILE.exec(name)?.[1] ?? [])
      .toSorted();
    keys = ids.map((id) => keys.find((key) => key.id === id) ?? readKey(dir, id));
    byHeader = new Map(keys.map((key) => [key.header, key]));
  };
  scan();
  if (keys.length === 0) {
    writeKey(dir, clock.now());
    scan();
  }
  return {
    signing() {
      if (Math.abs(clock.now() - scannedAt) >= SIGNING_RESCAN_MS) scan();
      const settled = keys.findLast((key) => key.createdAt + SETTLE_MS <= clock.now()) ?? keys[0];
      if (settled === undefined) throw new Error(`${dir}: no signing key`);
      return settled;
    },
    newestCreatedAt: () => keys.at(-1)?.createdAt ?? 0,
    byHeader(header) {
      const key = byHeader.get(header);
      if (key !== undefined || Math.abs(clock.now() - scannedAt) < RESCAN_MS) return key;
      scan();
      return byHeader.get(header);
    },
    rotate() {
      writeKey(dir, clock.now());
      scan();
      for (const [at, key] of keys.entries()) {
        const successor = keys[at + 1];
        if (successor !== undefined && successor.createdAt + 2 * SETTLE_MS + tokenTtlMs < clock.now())
          rmSync(join(dir, `${key.id}.pem`), { force: true });
      }
      scan();
    },
  };
}
