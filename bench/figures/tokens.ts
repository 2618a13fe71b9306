// Token validations: over HTTP as other services ask for them, as part of any request, and the bare check of
// tokens that were never seen before.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodeToken, encodeToken } from '../../src/control/identity/tokens/codec.ts';
import { openKeyRing } from '../../src/control/identity/tokens/keys.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemIds } from '../../src/kernel/ids.ts';
import { cpuSeconds, line, median, rate, spread, withFolder, type Figure } from '../figure.ts';
import { addRate, noRates, wallOf } from '../load/requests.ts';
import { startSimCloud } from '../load/sim-cloud.ts';

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
      scope: {
        type: 'project',
        id: systemIds.hex(),
        name: 'bench',
        domainId: 'default',
        domainName: 'Default',
      },
      roles: [
        { id: systemIds.hex(), name: 'member' },
        { id: systemIds.hex(), name: 'reader' },
      ],
      methods: ['password'],
      auditId: systemIds.hex(),
      chainId: systemIds.hex(),
      issuedAt: now,
      expiresAt: now + 3_600_000,
      sequence: 1,
    }),
  );
  return Array.from({ length: RUNS }, () => {
    const began = cpuSeconds(process.pid);
    for (const token of tokens)
      if (decodeToken(keys, token) === null) throw new Error('a token of ours was refused');
    return FRESH / (cpuSeconds(process.pid) - began);
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
        const [shown, plain] = [noRates(), noRates()];
        for (let run = 0; run < RUNS; run++) {
          await addRate(shown, cloud.pid, `${cloud.url}/identity/v3/auth/tokens?nocatalog`, {
            'x-auth-token': token,
            'x-subject-token': token,
          });
          await addRate(plain, cloud.pid, `${cloud.url}/identity/v3/auth/catalog`, { 'x-auth-token': token });
          say(`${rate(shown.core[run] ?? 0)} shown, ${rate(plain.core[run] ?? 0)} plain`);
        }
        return [
          line('token validations: GET /v3/auth/tokens, one core', spread(shown.core, rate), {
            target: `>= ${TARGET}/s`,
            met: median(shown.core) >= TARGET,
            rival: wallOf(shown),
          }),
          line('  authenticated GET /v3/auth/catalog, one core', spread(plain.core, rate), {
            rival: wallOf(plain),
          }),
          line('  signatures of tokens never seen before, one thread', spread(fresh, rate), {
            target: `>= ${TARGET}/s`,
            met: median(fresh) >= TARGET,
          }),
        ];
      } finally {
        await cloud.stop();
      }
    }),
};
