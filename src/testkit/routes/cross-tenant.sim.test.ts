// The cross-tenant matrix: for every route and every place that takes an id, a tenant uses the id of another
// tenant's object. It is told that there is no such object, learns nothing of it, and changes nothing of it.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allows } from '../../kernel/policy.ts';
import { actors } from './actors.ts';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { allowedStatuses } from './exceptions.ts';
import {
  createFurnishedTenant,
  externalNetworkId,
  requireFixtures,
  SHARED_KINDS,
  TENANT_ROLES,
  type Tenant,
} from './fixtures.ts';
import { asCurl, buildRequest } from './requests.ts';
import { tableNames, tenantRows } from './rows.ts';
import { asSchema, idPlaces, type Entry, type IdPlace } from './schema-walk.ts';

let cloud: TestCloud;
let own: Tenant;
let other: Tenant;
let tables: string[];
let ownIds: Record<string, string>;

/** Places that take an id or a name of an object without being marked as ids. */
const byName: readonly { route: string; place: IdPlace }[] = [
  {
    route: 'POST /compute/v2.1/servers',
    place: {
      in: 'body',
      name: 'server.security_groups[].name',
      kind: 'security-group',
      steps: [{ property: 'server' }, { property: 'security_groups' }, { items: true }, { property: 'name' }],
    },
  },
  {
    route: 'POST /compute/v2.1/servers',
    place: {
      in: 'body',
      name: 'server.key_name',
      kind: 'keypair',
      steps: [{ property: 'server' }, { property: 'key_name' }],
    },
  },
  {
    route: 'GET /network/v2.0/ports',
    place: { in: 'query', name: 'device_id', kind: 'server', steps: [{ property: 'device_id' }] },
  },
  {
    route: 'GET /compute/v2.1/servers/detail',
    place: { in: 'query', name: 'marker', kind: 'server', steps: [{ property: 'marker' }] },
  },
];

beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
  requireFixtures(cloud.entries.flatMap((entry) => idPlaces(entry).map(({ kind }) => kind)));
  own = await createFurnishedTenant(cloud, 'quokka');
  other = await createFurnishedTenant(cloud, 'zebra');
  await cloud.settle();
  tables = await tableNames(cloud.control.platform.db);
  ownIds = { ...own.ids, external: await externalNetworkId(cloud) };
});
afterAll(() => cloud.close());

const foreignIds = (): string[] => [
  other.projectId,
  ...Object.values(other.users),
  ...Object.entries(other.ids).flatMap(([kind, id]) => (SHARED_KINDS.has(kind) ? [] : [id])),
];
const theirs = (): Promise<string> => tenantRows(cloud.control.platform.db, tables, other, SHARED_KINDS);
/** What of the other tenant stands in an answer; `sent` is what the caller said itself. */
function leakIn(text: string, sent: string): string | null {
  const rest = text.replaceAll(sent, '');
  return [...foreignIds(), other.marker].find((secret) => rest.includes(secret)) ?? null;
}

/** An id of nobody, of the same form. */
const nobodys = (id: string): string =>
  /^[0-9a-f-]{32,36}$/.test(id)
    ? id
        .replace(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16))
        .replace(/^(.{14})./, '$14')
    : `no-${id}`;
const without = (text: string, id: string): string =>
  text.replaceAll(id, 'ID').replace(/req-[0-9a-f-]{36}/g, 'REQ');

type Case = { entry: Entry; place: IdPlace };
const casesOf = (entry: Entry): Case[] =>
  [...idPlaces(entry), ...byName.filter(({ route }) => route === entry.key).map(({ place }) => place)].map(
    (place) => ({ entry, place }),
  );

it('a tenant that names an object of another tenant is told that there is none, anywhere in the API', async () => {
  const failures: string[] = [];
  let calls = 0;
  let before = await theirs();
  for (const entry of cloud.entries)
    for (const { place } of casesOf(entry))
      for (const role of TENANT_ROLES) {
        const id = other.ids[place.kind] ?? '';
        const request = buildRequest(entry, own.tokens[role], {
          ids: ownIds,
          substitute: { place, id },
          other: `${other.marker}-tag`,
        });
        const answer = await cloud.send(request);
        calls += 1;
        const policy = entry.service.policies[entry.route.policy];
        const passes = policy !== undefined && allows(policy, actors[role], null);
        const expected = passes ? allowedStatuses(entry, place) : [403];
        const what = `${entry.key} with another tenant's ${place.kind} in ${place.in}:${place.name} as ${role}`;
        if (!expected.includes(answer.status))
          failures.push(
            `${what}: ${answer.status} instead of ${expected.join('/')}: ${answer.text.slice(0, 300)}\n    ${asCurl(request)}`,
          );
        const leak = leakIn(answer.text.replaceAll(`${other.marker}-tag`, ''), id);
        if (leak !== null && !SHARED_KINDS.has(place.kind))
          failures.push(`${what}: the answer tells ${leak}: ${answer.text.slice(0, 300)}`);
        const stranger = await cloud.send(
          buildRequest(entry, own.tokens[role], {
            ids: ownIds,
            substitute: { place, id: nobodys(id) },
            other: `${other.marker}-tag`,
          }),
        );
        if (
          !SHARED_KINDS.has(place.kind) &&
          (stranger.status !== answer.status ||
            without(stranger.text, nobodys(id)) !== without(answer.text, id))
        )
          failures.push(
            `${what} is told apart from an id of nobody: ${answer.status} ${answer.text.slice(0, 250)}\n    instead of ${stranger.status} ${stranger.text.slice(0, 250)}\n    ${asCurl(request)}`,
          );
        const after = await theirs();
        if (after !== before) {
          const lines = new Set(before.split('\n'));
          failures.push(
            `${what}: changed what is the other tenant's: ${after
              .split('\n')
              .filter((line) => !lines.has(line))
              .join(' ')
              .slice(0, 400)}\n    ${asCurl(request)}`,
          );
          before = after;
        }
      }
  expect(failures.join('\n')).toBe('');
  expect(calls).toBeGreaterThan(500);
});

it('no list and no object of a tenant shows anything of another tenant, whatever it is asked for', async () => {
  const failures: string[] = [];
  const wide = {
    all_tenants: '1',
    all_projects: 'true',
    tenant_id: other.projectId,
    project_id: other.projectId,
    visibility: 'all',
    owner: other.projectId,
    user_id: other.users.member,
  };
  for (const entry of cloud.entries) {
    if (entry.route.method !== 'GET') continue;
    const properties = Object.keys(asSchema(entry.route.query ?? {}).properties ?? {});
    const asked = [
      '',
      ...Object.entries(wide).flatMap(([name, value]) =>
        properties.includes(name) ? [`${name}=${value}`] : [],
      ),
    ];
    for (const role of TENANT_ROLES)
      for (const query of asked) {
        const request = buildRequest(entry, own.tokens[role], { ids: ownIds });
        request.url = `${request.url.split('?')[0]}${query === '' ? '' : `?${query}`}`;
        const answer = await cloud.send(request);
        const leak = leakIn(answer.text, query.split('=')[1] ?? ' ');
        if (leak !== null)
          failures.push(
            `${request.url} as ${role} tells ${leak}: ${answer.text.slice(Math.max(0, answer.text.indexOf(leak) - 150), answer.text.indexOf(leak) + 150)}`,
          );
        if (answer.status >= 500)
          failures.push(`${request.url} as ${role}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }
  }
  expect(failures.join('\n')).toBe('');
});

it('the matrix can fail: the same requests with own ids find the objects', async () => {
  // Without this, a path or body that is always refused would pass for protected.
  const failures: string[] = [];
  let found = 0;
  for (const entry of cloud.entries) {
    if (entry.route.method !== 'GET' || Object.keys(entry.route.ids).length === 0) continue;
    const policy = entry.service.policies[entry.route.policy];
    // The volume is attached by the client itself, not by its server.
    if (entry.key.includes('/os-volume_attachments/:')) continue;
    // The image is private: nobody is its member.
    if (entry.key.includes('/members/:')) continue;
    if (policy === undefined || !allows(policy, actors.member, null)) continue;
    const request = buildRequest(entry, own.tokens.member, {
      ids: { ...ownIds, domain: 'default' },
      other: own.marker,
    });
    request.url = request.url.split('?')[0] ?? '';
    const answer = await cloud.send(request);
    const onlyIds = Object.values(entry.route.ids).every((kind) => kind !== 'none');
    if (answer.status < 300) found += 1;
    else if (onlyIds) failures.push(`${request.url} answered ${answer.status}: ${answer.text.slice(0, 200)}`);
  }
  expect(failures.join('\n')).toBe('');
  expect(found).toBeGreaterThan(20);
});
