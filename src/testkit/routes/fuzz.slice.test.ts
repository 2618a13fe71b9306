// The schema-driven fuzz run over all routes. STRATA_SEED replays a run, STRATA_FUZZ_REQUESTS sets its length.
// Whatever is sent, nothing answers 5xx, every refusal is in the service's own format, and the cloud goes on.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRng } from '../../kernel/ids.ts';
import { onBothEngines, type Engine } from '../database.ts';
import { brokenInvariants, type Witness } from '../invariants.ts';
import { openTestCloud, type Sent, type TestCloud } from './cloud.ts';
import { messageOf } from './fault-shapes.ts';
import { createFurnishedTenant, externalNetworkId, type Tenant } from './fixtures.ts';
import { hostileTexts, mutate, type Fuzzed } from './mutate.ts';
import { asCurl, buildRequest } from './requests.ts';
import type { Entry } from './schema-walk.ts';

const SEED = Number(process.env['STRATA_SEED'] ?? 20_261_121);
/** On PostgreSQL a quarter of it: the routes are the same, the values that a database refuses are not. */
const requestsOn = (engine: Engine): number =>
  Math.ceil(Number(process.env['STRATA_FUZZ_REQUESTS'] ?? 20_000) / (engine === 'postgres' ? 4 : 1));
const RENEW_EVERY = 1_000;
const REPORTED = 25;
/** The gaps that answer 501; every other 501 is a defect. */
const mayAnswer501 = /Roles of a single domain are not offered|does not implement uptime/;

/** Nobody watched single servers: only rows and kernels are compared. */
const nothingSeen: Witness = { created: new Set(), deleted: new Set(), running: new Map() };

type Judged = { problem: string | null; status: number; text: string };

/** Sends it; `problem` says what is wrong with the answer. */
async function judge(cloud: TestCloud, entry: Entry, request: Sent): Promise<Judged> {
  cloud.errors.length = 0;
  const { status, text, headers } = await cloud.send(request);
  const judged = (problem: string | null): Judged => ({ problem, status, text });
  if (status >= 500 && !(status === 501 && mayAnswer501.test(text))) {
    const logged = cloud.errors.at(-1);
    const cause = String(logged?.fields['cause'] ?? logged?.message ?? 'nothing was logged');
    return judged(
      `${status}: ${cause
        .split('\n')
        .slice(0, 4)
        .map((line) => line.trim())
        .join(' | ')}`,
    );
  }
  if (status < 400 || request.method === 'HEAD') return judged(null);
  if (!/^req-[0-9a-f-]{36}$/.test(String(headers['x-openstack-request-id'] ?? '')))
    return judged(`${status} without x-openstack-request-id`);
  // A path that was changed may be another service's, or nobody's: that is answered as identity does.
  const faults = cloud.control.services
    .filter((one) => one === entry.service || one.prefix === '' || request.url.startsWith(one.prefix))
    .map((one) => one.fault);
  return judged(
    faults.some((fault) => messageOf(fault, text, status) !== null)
      ? null
      : `${status} is not in the format of ${entry.service.name}: ${text.slice(0, 200)}`,
  );
}

/** Leaves out of a JSON body what the failure does not need. */
async function shrink(cloud: TestCloud, entry: Entry, request: Fuzzed): Promise<Sent> {
  if (typeof request.body !== 'object' || request.body === null) return request;
  let best: Fuzzed = request;
  const still = async (body: unknown): Promise<boolean> => {
    const next = { ...best, body, payload: JSON.stringify(body) ?? '' };
    if ((await judge(cloud, entry, next)).problem === null) return false;
    best = next;
    return true;
  };
  for (let again = true, rounds = 0; again && rounds < 5; rounds++) {
    again = false;
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]): void => {
      if (typeof value !== 'object' || value === null || paths.length > 60) return;
      for (const key of Object.keys(value)) {
        paths.push([...path, key]);
        walk((value as Record<string, unknown>)[key], [...path, key]);
      }
    };
    walk(best.body, []);
    for (const path of paths) {
      const body = structuredClone(best.body);
      let parent = body as Record<string | number, unknown> | undefined;
      for (const key of path.slice(0, -1))
        parent = parent?.[key] as Record<string | number, unknown> | undefined;
      if (parent === undefined || typeof parent !== 'object' || parent === null) continue;
      if (Array.isArray(parent)) parent.splice(Number(path.at(-1)), 1);
      else delete parent[path.at(-1) as string];
      if (await still(body)) again = true;
    }
  }
  return best;
}

/** Tenants are furnished on hosts that are up and within quotas, whatever fuzzing operators have set. */
async function undoOperators(cloud: TestCloud): Promise<void> {
  const { services } = (await cloud.must(cloud.admin, 'GET', '/compute/v2.1/os-services')) as {
    services: { id: string; binary: string }[];
  };
  for (const { id } of services.filter(({ binary }) => binary === 'nova-compute'))
    await cloud.must(cloud.admin, 'PUT', `/compute/v2.1/os-services/${id}`, {
      status: 'enabled',
      forced_down: false,
    });
  const { projects } = await cloud.must(cloud.admin, 'GET', '/identity/v3/projects?name=admin');
  for (const service of ['/compute/v2.1', `/volume/v3/${projects[0].id}`]) {
    const url = `${service}/os-quota-class-sets/default`;
    const { id: _, ...amounts } = (await cloud.must(cloud.admin, 'GET', url)).quota_class_set;
    const unlimited = Object.fromEntries(Object.keys(amounts).map((name) => [name, -1]));
    await cloud.must(cloud.admin, 'PUT', url, { quota_class_set: unlimited });
  }
}

onBothEngines('fuzz', (engine) => {
  const REQUESTS = requestsOn(engine);
  let cloud: TestCloud;
  beforeAll(async () => {
    cloud = await openTestCloud(engine, SEED);
  });
  afterAll(() => cloud.close());

  it(`nothing that a client sends makes a route answer 5xx or in a foreign format (${REQUESTS} requests, STRATA_SEED=${SEED})`, async () => {
    const rng = seededRng(SEED);
    const problems = new Map<string, string>();
    const statuses = new Map<number, number>();
    const succeeded = new Set<string>();
    const external = await externalNetworkId(cloud);
    const made: Record<string, string[]> = {};
    let callers: { own: Tenant; sacrificed: Tenant } | null = null;
    let peak = 0;
    const baseline = process.memoryUsage().rss;
    for (let index = 0; index < REQUESTS; index++) {
      if (callers === null || index % RENEW_EVERY === 0) {
        await undoOperators(cloud);
        callers = {
          own: await createFurnishedTenant(cloud, `own${index}`),
          sacrificed: await createFurnishedTenant(cloud, `sacrificed${index}`),
        };
      }
      const { own, sacrificed } = callers;
      const entry = cloud.entries[Math.floor(rng() * cloud.entries.length)] as Entry;
      const asAdmin = rng() < 0.45;
      const idOf = (kind: string): string => {
        const how = rng();
        if (kind === 'network' && how < 0.4 && /floatingips|routers/.test(entry.route.path)) return external;
        if (how < 0.65) return (asAdmin ? sacrificed : own).ids[kind] ?? 'quagga';
        const fresh = made[kind];
        if (how < 0.8 && asAdmin && fresh !== undefined)
          return fresh[Math.floor(rng() * fresh.length)] ?? 'quagga';
        if (how < 0.88) return sacrificed.ids[kind] ?? 'quagga';
        if (how < 0.96) return '3fa85f64-5717-4562-b3fc-2c963f66afa6';
        return hostileTexts[Math.floor(rng() * hostileTexts.length)] ?? '';
      };
      const ids: Record<string, string> = { external };
      for (const kind of Object.keys(own.ids)) ids[kind] = idOf(kind).toWellFormed();
      const token = asAdmin ? cloud.admin : own.tokens.member;
      const valid = buildRequest(entry, token, {
        ids,
        rng,
        fit: rng() < 0.5,
        fullness: [0, 0.3, 0.8][Math.floor(rng() * 3)] ?? 0,
        other:
          rng() < 0.7
            ? 'quagga'
            : (hostileTexts[Math.floor(rng() * hostileTexts.length)] ?? '').toWellFormed(),
      });
      if (entry.key.endsWith('/v3/auth/tokens')) valid.headers['x-subject-token'] = sacrificed.tokens.member;
      const request: Fuzzed = rng() < 0.4 ? { ...valid, label: 'valid' } : mutate(rng, valid);
      const { problem, status, text } = await judge(cloud, entry, request);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status < 300) {
        succeeded.add(entry.key);
        const created =
          entry.route.method === 'POST' && status !== 200
            ? /^\{"([a-z_]+)":\{[^{}]*?"id":"([^"]+)"/.exec(text)
            : null;
        if (created !== null)
          (made[created[1]?.replaceAll('_', '-').replace('floatingip', 'floating-ip') ?? ''] ??= []).push(
            created[2] ?? '',
          );
      }
      if (problem !== null && problems.size < REPORTED) {
        const signature = `${entry.key} ${problem.replace(/[0-9a-f]{8,}[0-9a-f-]*/g, 'ID').slice(0, 160)}`;
        if (!problems.has(signature)) {
          const minimal = await shrink(cloud, entry, request);
          problems.set(
            signature,
            `STRATA_SEED=${SEED} request ${index} (${request.label}, as ${asAdmin ? 'admin' : 'member'}): ${entry.key}\n  ${problem}\n  ${asCurl(request).slice(0, 3000)}\n  minimal: ${asCurl(minimal).slice(0, 3000)}`,
          );
        }
      }
      if (index % 500 === 0) peak = Math.max(peak, process.memoryUsage().rss);
    }
    const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, n]) => `${status}: ${n}`);
    const never = cloud.entries.filter(({ key }) => !succeeded.has(key)).map(({ key }) => key);
    process.stdout.write(
      `fuzz: ${REQUESTS} requests over ${cloud.entries.length} routes; ${counts.join(', ')}; peak memory +${Math.round((peak - baseline) / 2 ** 20)} MiB; ${never.length} routes never succeeded: ${never.join('; ').slice(0, 3000)}\n`,
    );
    expect([...problems.values()].join('\n\n')).toBe('');
    // A run that is refused everywhere would prove nothing.
    const good = [...statuses].filter(([status]) => status < 300).reduce((sum, [, n]) => sum + n, 0);
    expect(good).toBeGreaterThan(REQUESTS * 0.1);
    expect(peak - baseline).toBeLessThan(1536 * 2 ** 20);
  }, 900_000);

  it('after the run the cloud works and its books are right', async () => {
    await undoOperators(cloud);
    const tenant = await createFurnishedTenant(cloud, 'survivor');
    // What failed is tried again, or given up, in its own time.
    await expect
      .poll(() => cloud.control.platform.db.read.selectFrom('work').select(['kind', 'id']).execute(), {
        timeout: 90_000,
        interval: 250,
      })
      .toEqual([]);
    await cloud.settle();
    const shown = await cloud.must(
      tenant.tokens.member,
      'GET',
      `/compute/v2.1/servers/${tenant.ids['server']}`,
    );
    expect(shown.server.status, JSON.stringify(shown.server.fault)).toBe('ACTIVE');
    const observed = { read: () => cloud.control.platform.db.read, errors: [], hosts: [cloud.host] };
    expect(await brokenInvariants(observed, nothingSeen)).toEqual([]);
  }, 120_000);
});
