// Whatever takes several steps is killed at every one of them: a saga is driven once to count its crossings, and then
// once for each crossing with the process killed there. However it was cut, the cloud comes to rest, keeps its books,
// and the saga has one of the ends that it may have.
import { describe, expect, test } from 'vitest';
import type { Answer } from './http.ts';
import { brokenInvariants } from './invariants.ts';
import { world, type World } from './world.ts';

export type SagaUser = {
  /** Repeats until there is an answer. */
  insist(method: string, url: string, body?: unknown): Promise<Answer>;
  /** Asks until `good` holds of the answer's JSON; throws after five minutes of the cloud's time. */
  until<T>(url: string, good: (body: T) => boolean): Promise<T>;
  /** Creates exactly one by its unique name; answers its id. */
  create(url: string, key: string, body: { name: string } & Record<string, unknown>): Promise<string>;
  sleep(ms: number): Promise<void>;
};

export type Saga<Given> = {
  name: string;
  hosts?: number;
  /** What there is before it begins; nothing is killed here. */
  prepare(user: SagaUser, cloud: World): Promise<Given>;
  /** As a patient user drives it: what may not have been heard is asked for again. */
  drive(user: SagaUser, given: Given, cloud: World): Promise<void>;
  /** What is wrong with how it ended, in words; the invariants of the whole cloud are checked besides. */
  wrong(given: Given, cloud: World): Promise<string[]>;
};

export function sagaUser(cloud: World): SagaUser {
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void cloud.clock.timer(ms, resolve));
  const insist: SagaUser['insist'] = async (method, url, body) => {
    for (;;) {
      const answer = await cloud.call('demo', method, url, body);
      if (answer !== null) {
        if (answer.status >= 500) throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`);
        return answer;
      }
      await sleep(700);
    }
  };
  return {
    sleep,
    insist,
    async until(url, good) {
      const end = cloud.clock.now() + 300_000;
      for (;;) {
        const answer = await insist('GET', url);
        const body = (answer.status === 404 ? null : answer.json) as never;
        if (good(body)) return body;
        if (cloud.clock.now() > end) throw new Error(`GET ${url} stays ${answer.status} ${answer.text}`);
        await sleep(1_000);
      }
    },
    async create(url, key, body) {
      for (;;) {
        const answer = await cloud.call('demo', 'POST', url, { [key]: body });
        const made = answer === null || answer.status >= 400 ? null : (answer.json as never)[key];
        if (made !== null) return (made as { id: string }).id;
        if (answer !== null) throw new Error(`POST ${url}: ${answer.status} ${answer.text}`);
        await sleep(700);
        const found = await insist('GET', `${url}?name=${encodeURIComponent(body.name)}`);
        const [first] = Object.values(found.json as Record<string, { id: string }[]>)[0] ?? [];
        if (first !== undefined) return first.id;
      }
    },
  };
}

/** Rules that were broken, in words, and how many crossings the saga took. `crashAt` 0: nothing is killed. */
async function live<Given>(
  saga: Saga<Given>,
  seed: number,
  crashAt: number,
): Promise<{ broken: string[]; crossings: number }> {
  const cloud = await world({ seed, hosts: saga.hosts ?? 1 });
  try {
    const user = sagaUser(cloud);
    const given = await cloud.during(saga.prepare(user, cloud));
    await cloud.settle();
    const before = cloud.crossings();
    if (crashAt > 0) cloud.crashAt(crashAt);
    await cloud.during(saga.drive(user, given, cloud));
    await cloud.settle();
    const crossings = cloud.crossings() - before;
    cloud.crashAt();
    // At rest it stays so.
    await cloud.advance(65_000);
    await cloud.settle();
    const witness = { created: new Set<string>(), deleted: new Set<string>(), running: new Map() };
    return {
      broken: [...(await saga.wrong(given, cloud)), ...(await brokenInvariants(cloud, witness))],
      crossings,
    };
  } catch (error) {
    return { broken: [String(error)], crossings: 0 };
  } finally {
    await cloud.close();
  }
}

/** Declares the tests of a saga. */
export function sagaTests<Given>(saga: Saga<Given>): void {
  describe(saga.name, () => {
    test('ends as it should, and killed at any crossing on the way it does too', async () => {
      const whole = await live(saga, 1, 0);
      expect(whole.broken).toEqual([]);
      expect(whole.crossings).toBeGreaterThan(10);
      for (let at = 1; at <= whole.crossings; at += 1) {
        const { broken } = await live(saga, 1, at);
        expect(broken, `killed at crossing ${at} of ${whole.crossings}`).toEqual([]);
      }
    });
  });
}
