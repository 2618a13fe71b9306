// Every route has a policy that says something, and who passes it is written down for review: a change of who may
// call what shows in who-may-call.txt. After a wanted change: npx vitest run src/testkit/routes/policies --update
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allows } from '../../kernel/policy.ts';
import { actors } from './actors.ts';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { requireFixtures } from './fixtures.ts';
import { asSchema, idPlaces, isFreeString, nameOf, places } from './schema-walk.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
});
afterAll(() => cloud.close());

it('every policy has a description and at least one rule', () => {
  for (const { name, policies } of cloud.control.services)
    for (const [policy, { description, anyOf }] of Object.entries(policies)) {
      expect(description.trim(), `${name} ${policy}`).not.toBe('');
      expect(anyOf.length, `${name} ${policy} has no rule`).toBeGreaterThan(0);
    }
});

it('every route names a policy of its service', () => {
  for (const { key, route, service } of cloud.entries)
    expect(Object.hasOwn(service.policies, route.policy), `${key}: no policy is named ${route.policy}`).toBe(
      true,
    );
});

it('every path parameter of a route is declared in its ids', () => {
  for (const { key, route } of cloud.entries)
    expect(Object.keys(route.ids).sort(), key).toEqual(
      [...route.path.matchAll(/:([a-z_]+)/g)].map(([, name]) => name ?? '').sort(),
    );
});

it('every resource kind of the route table has a fixture', () => {
  expect(() =>
    requireFixtures(cloud.entries.flatMap((entry) => idPlaces(entry).map((place) => place.kind))),
  ).not.toThrow();
  expect(() => requireFixtures(['network', 'comet'])).toThrow(
    /kind comet.*src\/testkit\/routes\/fixtures\.ts/,
  );
});

it('every field whose name says that it holds an id is marked with the kind of the object', () => {
  const notIds: readonly RegExp[] = [
    / marker$/, // resolved by the list of the objects themselves
    / (server\.return_reservation_id|provider:segmentation_id|binding:host_id|.*\.binding:host_id)(\[\])?$/, // a flag, a VLAN number, a host's name
    / (reservation_id|kernel_id|ramdisk_id)$/, // filters on what this cloud never has
    /^GET \/network\/v2\.0\/routers flavor_id\[\]$/, // nor are its routers of a flavor
    / (ports?(\[\])?\.)?device_id(\[\])?$/, // free text to Neutron: security-cases.sim.test.ts shows that it attaches nothing
    /^GET \/identity\/v3\/(regions|endpoints) /, // the catalog, the same for all
    /^GET \/image\/v2\/images id$/, // may be a list, 'in:a,b'
    /^POST \/image\/v2\/images id$/, // chosen by the caller for what it makes
    /^POST \/compute\/v2\.1\/flavors flavor\.id$/,
    /^POST \/volume\/v3\/(:project_id\/)?volumes volume\.(user_id|project_id)$/, // read by nobody: security-cases.sim.test.ts shows that they choose nothing
    / auth\.identity\.token\.id$/, // a secret
    /^GET \/audit\/v1\/events target_id$/, // a filter: the id of an object of any kind
    / (rbac_polic(y|ies\[\])\.)?target_tenant(\[\])?$/, // whom to share with, anybody: rbac.slice.test.ts shows that only owners give
  ];
  const unmarked = cloud.entries.flatMap((entry) =>
    [entry.route.body, entry.route.query].flatMap((schema) =>
      schema === undefined
        ? []
        : places(asSchema(schema), entry.minor, (one) => isFreeString(one) && one['x-ref'] === undefined)
            .map(({ steps }) => `${entry.key} ${nameOf(steps)}`)
            .filter(
              (name) =>
                /(^|[._ ])(id|uuid|[a-z_]+_id|[a-z_]+_uuid|[a-zA-Z]+Ref|tenant|project)(\[\])?$/.test(name) &&
                !notIds.some((one) => one.test(name)),
            ),
    ),
  );
  expect([...new Set(unmarked)]).toEqual([]);
});

it('who passes the coarse check of each route is as reviewed', async () => {
  const names = Object.keys(actors) as (keyof typeof actors)[];
  const width = Math.max(...cloud.entries.map(({ key }) => key.length)) + 2;
  const lines = cloud.entries.map(({ key, route, service }) => {
    const policy = service.policies[route.policy];
    const who = names.map((name) =>
      policy !== undefined && allows(policy, actors[name], null) ? name : '-'.repeat(name.length),
    );
    return `${key.padEnd(width)}${who.join(' ')}  ${route.policy}`;
  });
  const head =
    '# Who passes the coarse check of each route; ownership is decided after it, on what is stored.\n# Generated: npx vitest run src/testkit/routes/policies --update\n';
  await expect(`${head}${lines.sort().join('\n')}\n`).toMatchFileSnapshot('./who-may-call.txt');
});
