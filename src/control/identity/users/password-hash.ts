// Passwords: scrypt (RFC 7914) on node's thread pool, a few at a time and the rest in a bounded queue, so
// that a storm of logins neither stalls the event loop nor takes all memory (32 MiB a hash).
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { unavailable } from '../../../kernel/errors.ts';

export type Passwords = {
  /** `$scrypt$ln=15,r=8,p=1$salt$hash`, as the modular crypt format has it. */
  hash(password: string): Promise<string>;
  /** null (an unknown user, or one without a password) takes as long as a wrong password. */
  verify(password: string, stored: string | null): Promise<boolean>;
};

type Parameters = { ln: number; r: number; p: number; salt: Buffer; hash: Buffer };

const FORMAT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;
const HASH_BYTES = 32;

function parse(stored: string): Parameters {
  const [, ln, r, p, salt, hash] = FORMAT.exec(stored) ?? [];
  if (salt === undefined || hash === undefined)
    throw new Error('a stored password hash is not in the format that this program writes');
  return {
    ln: Number(ln),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64url'),
    hash: Buffer.from(hash, 'base64url'),
  };
}

/** At most `concurrency` run; up to `waiting` wait in order; beyond that the answer is 503. */
function bounded(concurrency: number, waiting: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (running >= concurrency) {
      if (queue.length >= waiting)
        throw unavailable('Too many logins at the moment; try again in some seconds.');
      await new Promise<void>((resolve) => queue.push(resolve));
    } else running++;
    try {
      return await work();
    } finally {
      // The place is handed over, not freed, so that nobody overtakes the queue.
      const next = queue.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/** `ln`: log2 of scrypt's N; 15 unless a test is in a hurry. */
export function createPasswords(ln = 15, concurrency = 2, waiting = 1000): Passwords {
  const take = bounded(concurrency, waiting);
  const derive = (password: string, { ln: cost, r, p, salt }: Omit<Parameters, 'hash'>): Promise<Buffer> =>
    take(
      () =>
        new Promise((resolve, reject) => {
          const N = 2 ** cost;
          scrypt(
            password.normalize('NFC'),
            salt,
            HASH_BYTES,
            { N, r, p, maxmem: 256 * N * r },
            (error, key) => (error === null ? resolve(key) : reject(error)),
          );
        }),
    );
  const fresh = (): Omit<Parameters, 'hash'> => ({ ln, r: 8, p: 1, salt: randomBytes(16) });
  const nobody: Parameters = { ...fresh(), hash: randomBytes(HASH_BYTES) };
  return {
    async hash(password) {
      const parameters = fresh();
      const hash = await derive(password, parameters);
      return `$scrypt$ln=${ln},r=${parameters.r},p=${parameters.p}$${parameters.salt.toString('base64url')}$${hash.toString('base64url')}`;
    },
    async verify(password, stored) {
      const expected = stored === null ? nobody : parse(stored);
      const matches = timingSafeEqual(await derive(password, expected), expected.hash);
      return matches && stored !== null;
    },
  };
}
