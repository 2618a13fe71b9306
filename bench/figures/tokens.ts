// Token validations: over HTTP as other services ask for them, as part of any request, and the bare check of
// tokens that were never seen before.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodeToken, encodeToken } from '../../src/control/identity/tokens/codec.ts';
import { openKeyRing } from '../../src/control/identity/tokens/keys.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemIds } from '../../src/kernel/ids.ts';
import { line, median, rate, spread, withFolder, type Figure } from '../figure.ts';
import { startSimCloud } from '../load/sim-cloud.ts';
import { requestRate } from './list.ts';

const RUNS = 5;
const TARGET = 5000;
const FRESH = 4000;

/** Verifications a second of distinct tokens, on this thread. */
function verifyRate(dir: string): number[] {
  mkdirSync(dir, { recursive: true });
  const keys = openKeyRing(dir, systemClock, 3_600_000);
  const now = systemClock.now();
  const tokens = Array.from({ length: FRESH }, (_, at) =>
    encodeToken(keys, {
      user: { id: systemIds.hex(), name: `user-${at}`, domainId: 'default', domainName: 'Default' },
      scope: { type: 'project', id: systemIds.hex(), name: 'bench', domainId: 'default', domainName: 'Default' },
      roles: [{ id: systemIds.hex(), name: 'member' }, { id: systemIds.hex(), name: 'reader' }],
      methods: ['password'],
      auditId: systemIds.hex(),
      chainId: systemIds.hex(),
      issuedAt: now,
      expiresAt: now + 3_600_000,
      sequence: 1,
    }),
  );
  return Array.from({ length: RUNS }, () => {
    const began = performance.now();
    for (const token of tokens) if (decodeToken(keys, token) === null) throw new Error('a token of ours was refused');
    return (FRESH * 1000) / (performance.now() - began);
  });
}

export const tokens: Figure = {
  name: 'tokens',
  title: 'token validations',
  measure: (say) =>
    withFolder(async (dir) => {
      const fresh = verifyRate(join(dir, 'fresh-keys'));
      const cloud = await startSimCloud(dir, 1);
      try {
        const { token } = cloud.demo;
        const shown: number[] = [];
        const plain: number[] = [];
        for (let run = 0; run < RUNS; run++) {
          shown.push(await requestRate(`${cloud.url}/identity/v3/auth/tokens?nocatalog`, { 'x-auth-token': token, 'x-subject-token': token }));
          plain.push(await requestRate(`${cloud.url}/identity/v3/auth/catalog`, { 'x-auth-token': token }));
          say(`${rate(shown[run] ?? 0)} shown, ${rate(plain[run] ?? 0)} plain`);
        }
        return [
          line('token validations: GET /v3/auth/tokens, one core', spread(shown, rate), { target: `>= ${TARGET}/s`, met: median(shown) >= TARGET }),
          line('  authenticated GET /v3/auth/catalog', spread(plain, rate)),
          line('  signatures of tokens never seen before, one thread', spread(fresh, rate), { target: `>= ${TARGET}/s`, met: median(fresh) >= TARGET }),
        ];
      } finally {
        await cloud.stop();
      }
    }),
};
