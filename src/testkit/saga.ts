// Whatever takes several steps is killed at every one of them: a saga is driven once to count its crossings, and then
// once for each crossing with the process killed there. However it was cut, the cloud comes to rest, keeps its books,
// and the saga has one of the ends that it may have.
import { describe, expect, test } from 'vitest';
import { seededRng } from '../kernel/ids.ts';
import type { Answer } from './http.ts';
import { brokenInvariants } from './invariants.ts';
import { world, type User, type World } from './world.ts';

/** With it, sagas are driven in the cloud of that seed, and killed at one crossing that it draws. */
const ONLY = process.env['STRATA_SEED'];
/** Of a saga with more crossings, this many are tried: evenly spread, the first drawn from its seed. */
const MOST = 60;
/** Lines of the trace that are printed before and after where a saga that fails was killed. */
const SHOWN = 150;
/** The share of crossings after which control is up for so long, in milliseconds, before it hears of its hosts. */
const LATE = 0.5;
const LATE_MS = 5_000;
/** The share of crossings after which a second kill comes within so many more. */
const AGAIN = 0.25;
const AGAIN_WITHIN = 60;

export type SagaUser = {
  /** Repeats until there is an answer. */
  insist(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Asks until `good` holds of the answer's JSON; throws after five minutes of the cloud's time. */
  until<T>(url: string, good: (body: T) => boolean): Promise<T>;
  /** The one of this name in a collection; answers its id. */
  find(url: string, name: string): Promise<string | null>;
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

export function sagaUser(cloud: World, who: User = 'demo'): SagaUser {
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void cloud.clock.timer(ms, resolve));
  const insist: SagaUser['insist'] = async (method, url, body, headers) => {
    for (;;) {
      const answer = await cloud.call(who, method, url, body, headers);
      if (answer !== null) {
        if (answer.status >= 500) throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`);
        return answer;
      }
      await sleep(700);
    }
  };
  const find: SagaUser['find'] = async (url, name) => {
    const found = await insist('GET', `${url}?name=${encodeURIComponent(name)}`);
    const lists = Object.values(found.json as Record<string, unknown>).filter((one) => Array.isArray(one));
    return (lists[0] as { id: string }[] | undefined)?.[0]?.id ?? null;
  };
  return {
    sleep,
    insist,
    find,
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
        const answer = await cloud.call(who, 'POST', url, { [key]: body });
        const made = answer === null || answer.status >= 400 ? null : (answer.json as never)[key];
        if (made !== null) return (made as { id: string }).id;
        if (answer !== null) throw new Error(`POST ${url}: ${answer.status} ${answer.text}`);
        await sleep(700);
        const found = await find(url, body.name);
        if (found !== null) return found;
      }
    },
  };
}

/** What was broken, in words; how many crossings the saga took; and what crossed from its beginning on. */
type Life = { broken: string[]; crossings: number; trace: string[] };

function hostsAreLate(cloud: World): void {
  for (const host of cloud.hosts) host.silent = true;
  cloud.clock.timer(LATE_MS, () => {
    for (const host of cloud.hosts) host.silent = false;
  });
}

/** `crashAt` 0: nothing is killed. */
async function live<Given>(saga: Saga<Given>, seed: number, crashAt: number): Promise<Life> {
  const cloud = await world({ seed, hosts: saga.hosts ?? 1 });
  let begun = 0;
  try {
    const user = sagaUser(cloud);
    const given = await cloud.during(saga.prepare(user, cloud));
    await cloud.settle();
    begun = cloud.trace.length;
    const before = cloud.crossings();
    const rng = seededRng(crashAt);
    // What recovers is killed too.
    if (crashAt > 0) cloud.crashAt(crashAt, ...(rng() < AGAIN ? [1 + Math.floor(rng() * AGAIN_WITHIN)] : []));
    if (rng() < LATE) cloud.onCrash(() => hostsAreLate(cloud));
    await cloud.during(saga.drive(user, given, cloud));
    await cloud.settle();
    const crossings = cloud.crossings() - before;
    cloud.crashAt();
    // At rest it stays so.
    await cloud.advance(65_000);
    await cloud.settle();
    const witness = { created: new Set<string>(), deleted: new Set<string>(), running: new Map() };
    const broken = [...(await saga.wrong(given, cloud)), ...(await brokenInvariants(cloud, witness))];
    return { broken, crossings, trace: cloud.trace.slice(begun) };
  } catch (error) {
    return { broken: [String(error)], crossings: 0, trace: cloud.trace.slice(begun) };
  } finally {
    await cloud.close();
  }
}

/** The crossings that are tried of so many. */
function tried(crossings: number, seed: number): number[] {
  const stride = Math.max(1, crossings / MOST);
  const first = 1 + seededRng(seed)() * (stride - 1);
  const all = Array.from({ length: Math.ceil(crossings / stride) }, (_, at) =>
    Math.floor(first + at * stride),
  );
  return all.filter((at) => at <= crossings);
}

/** Declares the tests of a saga. */
export function sagaTests<Given>(saga: Saga<Given>): void {
  const whole = async (seed: number): Promise<number> => {
    const { broken, crossings } = await live(saga, seed, 0);
    expect(broken).toEqual([]);
    expect(crossings).toBeGreaterThan(10);
    return crossings;
  };
  const killed = async (seed: number, at: number, crossings: number): Promise<void> => {
    const { broken, trace } = await live(saga, seed, at);
    const crash = trace.findIndex((line) => line.endsWith('CRASH'));
    if (broken.length > 0)
      process.stdout.write(`${trace.slice(Math.max(0, crash - SHOWN), crash + SHOWN).join('\n')}\n`);
    expect(broken, `in the cloud of seed ${seed}, killed at crossing ${at} of ${crossings}`).toEqual([]);
    expect(crash).toBeGreaterThanOrEqual(0);
  };
  describe(saga.name, () => {
    if (ONLY !== undefined) {
      test(`seed ${ONLY}: ends as it should, and killed at one crossing on the way it does too`, async () => {
        const crossings = await whole(Number(ONLY));
        await killed(Number(ONLY), 1 + Math.floor(seededRng(Number(ONLY))() * crossings), crossings);
      });
      return;
    }
    test('ends as it should, and killed at any crossing on the way it does too', async () => {
      const crossings = await whole(1);
      for (const at of tried(crossings, 1)) await killed(1, at, crossings);
    });
  });
}
