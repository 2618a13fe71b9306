import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { testCloud, type TestCloud } from './cloud.ts';

const hist = new Map<string, number>();
const RUNS = Number(process.env['STRATA_FUZZ_RUNS'] ?? 400);

type Plain = TSchema & { type?: string; const?: unknown; anyOf?: Plain[]; properties?: Record<string, Plain>; required?: string[]; items?: Plain; minimum?: number; maximum?: number; 'x-ref'?: string };

/** Words that mean something to some field, beside noise. */
const words = ['', 'a', 'default', 'ingress', 'egress', 'IPv4', 'IPv6', 'tcp', 'icmp', '6', '10.0.0.0/24', '10.0.0.5', '10.0.0.1', '203.0.113.9', 'fd00::/64', 'fd00::5', '::ffff:1.2.3.4', '0.0.0.0/0', '255.255.255.255', '10.0.0.0/31', 'fa:16:3e:00:00:01', 'network:dhcp', 'compute:nova', 'slaac', 'a\nb', "'; drop table ports; --", '%', '\u{1F600}', 'x'.repeat(300)];

onBothEngines('whatever the schema lets through', (engine) => {
  let cloud: TestCloud;
  const ids: string[] = ['nowhere'];
  beforeAll(async () => {
    cloud = await testCloud(engine);
    const external = await cloud.external();
    const own = await cloud.networkWith('alice', '10.0.0.0/24');
    const six = await cloud.networkWith('alice', 'fd00::/64', { ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' });
    const router = await cloud.make('alice', '/routers', { router: { external_gateway_info: { network_id: external.networkId } } });
    const port = await cloud.make('alice', '/ports', { port: { network_id: own.networkId } });
    const floating = await cloud.make('alice', '/floatingips', { floatingip: { floating_network_id: external.networkId } });
    ids.push(external.networkId, external.subnetId, own.networkId, own.subnetId, six.networkId, six.subnetId, router.id, port.id, floating.id, ...port.security_groups, 'project-a', 'project-b');
  });
  afterAll(() => cloud.close());

  const id = fc.nat().map((at) => ids[at % ids.length] ?? '');
  const noise: fc.Arbitrary<unknown> = fc.oneof(fc.constantFrom(...words), fc.integer(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null), fc.constant([]), fc.constant({}), fc.string({ unit: 'binary' }));
  const valueOf = (schema: Plain): fc.Arbitrary<unknown> => fc.oneof({ weight: 30, arbitrary: fitting(schema) }, { weight: 1, arbitrary: noise });
  const fitting = (schema: Plain): fc.Arbitrary<unknown> => {
    if (schema['x-ref'] !== undefined) return id;
    if ('const' in schema) return fc.constant(schema.const);
    if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(fitting));
    switch (schema.type) {
      case 'object':
        return fc.record(Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, property]) => [name, valueOf(property)])), { requiredKeys: schema.required ?? [] });
      case 'array':
        return fc.array(valueOf(schema.items ?? ({} as Plain)), { maxLength: 3 });
      case 'string':
        return fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: fc.string() });
      case 'integer':
        return fc.oneof(fc.integer({ min: schema.minimum ?? -10, max: schema.maximum ?? 10 }), fc.constantFrom(0, -1, 22, 80, 255, 1e9));
      case 'boolean':
        return fc.boolean();
      default:
        return fc.constant(null);
    }
  };

  test('no request ends in a server error', async () => {
    const { routes } = cloud.network.service;
    const request = fc.nat(routes.length - 1).chain((at) => {
      const route = routes[at];
      if (route === undefined) throw new Error('no route');
      const query = Object.entries(route.query?.properties ?? {}).map(([name, schema]) => [name, fc.option(fitting(schema as Plain), { freq: 12 })] as const);
      return fc.record({
        route: fc.constant(route),
        as: fc.constantFrom('alice', 'bob', 'admin'),
        params: fc.array(id, { minLength: 3, maxLength: 3 }),
        query: fc.record(Object.fromEntries(query)),
        body: route.body === undefined ? fc.constant(undefined) : valueOf(route.body as Plain),
      });
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ route, as, params, query, body }) => {
        let at = 0;
        const path = route.path.replace(/:[a-z_]+/g, () => encodeURIComponent(params[at++] ?? ''));
        const search = new URLSearchParams();
        for (const [name, value] of Object.entries(query)) if (value !== null) for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
        const answer = await cloud.server.call(as, route.method, `/network${path}?${search.toString()}`, body);
        expect([route.method, path, search.toString(), JSON.stringify(body), answer.status < 500, answer.text]).toEqual([route.method, path, search.toString(), JSON.stringify(body), true, answer.text]);
        hist.set(`${answer.status} ${route.method} ${route.path.split('/').slice(0, 3).join('/')}`, (hist.get(`${answer.status} ${route.method} ${route.path.split('/').slice(0, 3).join('/')}`) ?? 0) + 1);
        if (answer.status >= 400 && route.method !== 'HEAD') expect(answer.json.NeutronError.message).toBeTruthy();
        if (answer.status === 201 && answer.text !== '') for (const made of Object.values(answer.json).flat() as { id?: string }[]) if (made.id !== undefined && ids.length < 400) ids.push(made.id);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });

  test('hist', () => console.log([...hist].sort().map((e) => e.join(' ')).join('\n')));
  test('and the quota ledger still equals the rows', async () => {
    const { quota_usage: _, ...tables } = { quota_usage: null, network: 'networks', subnet: 'subnets', router: 'routers', floatingip: 'floating_ips', security_group: 'security_groups', security_group_rule: 'security_group_rules' } as const;
    const usage = await cloud.platform.db.read.selectFrom('quota_usage').selectAll().execute();
    for (const [resource, table] of Object.entries(tables)) {
      const rows = await cloud.platform.db.read.selectFrom(table).select('project_id').execute();
      for (const [projectId, of] of Map.groupBy(rows, (row) => row.project_id)) {
        const entry = usage.find((one) => one.project_id === projectId && one.resource === resource);
        expect([resource, projectId, entry?.in_use]).toEqual([resource, projectId, of.length]);
      }
    }
    const held = await cloud.platform.db.read.selectFrom('ip_allocations as a').leftJoin('ports as p', 'p.id', 'a.port_id').select('a.ip_address').where('p.id', 'is', null).execute();
    expect(held).toEqual([]);
  });
});
