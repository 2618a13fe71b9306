// Ids and randomness are injected, so that a simulated cloud is replayable by its seed.
import { createHash, randomBytes, randomUUID } from 'node:crypto';

export type Ids = {
  /** RFC 4122 version 4, as Nova, Neutron, Glance and Cinder name things. */
  uuid(): string;
  /** 32 hex digits without dashes, as Keystone names things. */
  hex(): string;
};
/** Uniform in [0, 1). Never for secrets. */
export type Rng = () => number;

export const systemIds: Ids = {
  uuid: () => randomUUID(),
  hex: () => randomUUID().replaceAll('-', ''),
};

/** An id that follows from what it names: the same on every machine and after every restart. */
export function derivedId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}

/** Unguessable, URL-safe: passwords and shared secrets. */
export const newSecret = (bytes = 24): string => randomBytes(bytes).toString('base64url');

/** mulberry32: a small seeded generator for the simulator and for tie-breaks. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function seededIds(rng: Rng): Ids {
  const digits = (n: number): string =>
    Array.from({ length: n }, () => Math.floor(rng() * 16).toString(16)).join('');
  const uuid = (): string =>
    `${digits(8)}-${digits(4)}-4${digits(3)}-${'89ab'[Math.floor(rng() * 4)]}${digits(3)}-${digits(12)}`;
  return { uuid, hex: () => uuid().replaceAll('-', '') };
}
