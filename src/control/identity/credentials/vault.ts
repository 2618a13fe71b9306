// Encryption of secrets at rest: AES-256-GCM with keys that lie beside the signing keys, not in the database, so that
// a copy of the database gives no secret away. The newest key seals; all that are there open.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';

export type Vault = {
  /** `owner` says whose it is: what was sealed for one row opens for no other. */
  seal(plain: string, owner: string): string;
  /** Throws when the key is gone or the text is not what was sealed. */
  open(sealed: string, owner: string): string;
};

const FILE = /^(\d{14}-[0-9a-f]{16})\.key$/;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function readKey(file: string): Buffer {
  if ((statSync(file).mode & 0o077) !== 0)
    throw new Error(
      `${file}: a key must be readable by its owner only; check who has read it, then chmod 600`,
    );
  const key = readFileSync(file);
  if (key.length !== KEY_BYTES) throw new Error(`${file} is damaged: a key has ${KEY_BYTES} bytes`);
  return key;
}

/** Complete or absent: a crash between the two leaves a file that nobody reads. */
function writeKey(dir: string, now: number): void {
  const id = `${String(now).padStart(14, '0')}-${randomBytes(8).toString('hex')}`;
  const unfinished = join(dir, `${id}.new`);
  const file = openSync(unfinished, 'wx', 0o600);
  try {
    writeSync(file, randomBytes(KEY_BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, join(dir, `${id}.key`));
}

export function openVault(dir: string, clock: Clock): Vault {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  let keys = new Map<string, Buffer>();
  const scan = (): void => {
    const ids = readdirSync(dir)
      .flatMap((name) => FILE.exec(name)?.[1] ?? [])
      .toSorted();
    keys = new Map(ids.map((id) => [id, keys.get(id) ?? readKey(join(dir, `${id}.key`))]));
  };
  scan();
  if (keys.size === 0) {
    writeKey(dir, clock.now());
    scan();
  }
  const keyOf = (id: string): Buffer => {
    if (!keys.has(id)) scan();
    const key = keys.get(id);
    if (key === undefined) throw new Error(`${dir}: the key ${id} that sealed a credential is gone`);
    return key;
  };
  return {
    seal(plain, owner) {
      const id = [...keys.keys()].at(-1) ?? '';
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyOf(id), nonce).setAAD(Buffer.from(owner));
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return `${id}.${Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url')}`;
    },
    open(sealed, owner) {
      const [id = '', content = ''] = sealed.split('.');
      const bytes = Buffer.from(content, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', keyOf(id), bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(owner))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      return `${decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8')}${decipher.final('utf8')}`;
    },
  };
}
