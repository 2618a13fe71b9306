// The promise that a process killed at any instant leaves nothing half done: 50 servers are being created and deleted
// while hosts misbehave, the process is killed at moments that the seed chooses, and then everything converges.
import { describe, expect, test } from 'vitest';
import type { FaultOptions } from './faults.ts';
import { brokenInvariants } from './invariants.ts';
import { createScenario } from './scenario.ts';
import { world, type World } from './world.ts';

const COUNT = Number(process.env['STRATA_SEEDS'] ?? 500);
const ONLY = process.env['STRATA_SEED'];
const SEEDS_A_TEST = 50;
/** Crossings in which most of a scenario's life lies: what comes later hits the cloud while it comes to rest. */
const CROSSINGS = 8_000;

const faults: FaultOptions = {
  driver: 0.04,
  refused: 0.1,
  slow: 0.1,
  link: 0.04,
  repeated: 0.05,
  deaf: 0.1,
  yields: 0.02,
};
const unlimited = {
  instances: -1,
  cores: -1,
  ram: -1,
  port: -1,
  network: -1,
  subnet: -1,
  security_group_rule: -1,
};

/** Rules that were broken, in words. */
async function live(cloud: World): Promise<string[]> {
  const scenario = createScenario(cloud, { servers: 50, misfortune: true });
  const crashes = 1 + Math.floor(cloud.rng() * 3);
  cloud.crashAt(...Array.from({ length: crashes }, () => 1 + Math.floor(cloud.rng() * CROSSINGS)));
  await cloud.during(scenario.run());
  cloud.faults.end();
  for (const host of cloud.hosts) host.silent = false;
  await cloud.settle();
  // At rest it stays so: periodic comparisons and signs of life change nothing.
  await cloud.advance(65_000);
  await cloud.settle();
  return [...scenario.wrong, ...(await brokenInvariants(cloud, scenario.witness))];
}

async function trial(seed: number, show: boolean): Promise<void> {
  const cloud = await world({ seed, faults, quotas: unlimited });
  try {
    const broken = await live(cloud).catch((error: unknown) => [String(error)]);
    if (show) process.stdout.write(`${cloud.trace.join('\n')}\n`);
    expect(broken, `seed ${seed}; replay with ./test sim --seed ${seed}`).toEqual([]);
  } finally {
    await cloud.close();
  }
}

/** Declares the seeds of one of `parts` test files: files run side by side, seeds of one file one after the other. */
export function crashTrials(part: number, parts: number): void {
  describe('a cloud that is killed while 50 servers come and go converges, leaks nothing and disturbs nobody', () => {
    if (ONLY !== undefined) {
      if (part === 1) test(`seed ${ONLY}`, () => trial(Number(ONLY), true));
      else test(`seed ${ONLY} runs in the first file`, () => {});
      return;
    }
    if (COUNT <= (part - 1) * SEEDS_A_TEST) test('the other files have all seeds', () => {});
    for (let first = 1 + (part - 1) * SEEDS_A_TEST; first <= COUNT; first += parts * SEEDS_A_TEST) {
      const last = Math.min(first + SEEDS_A_TEST - 1, COUNT);
      test(`seeds ${first} to ${last}`, async () => {
        for (let seed = first; seed <= last; seed += 1) await trial(seed, false);
      });
    }
  });
}
