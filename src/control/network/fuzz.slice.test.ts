// Requests made from the route table's own schemas, over every route of the service.
import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothEngines } from '../../testkit/database.ts';
import { testCloud, type TestCloud } from '../../testkit/network-cloud.ts';

const RUNS = Number(process.env['STRATA_FUZZ_RUNS'] ?? 400);

type Plain = TSchema & {
  type?: string;
  const?: unknown;
  anyOf?: Plain[];
  properties?: Record<string, Plain>;
  required?: string[];
  items?: Plain;
  minimum?: number;
  maximum?: number;
  'x-ref'?: string;
};

const kinds: Readonly<Record<string, string>> = {
  '/v2.0/networks': 'network',
  '/v2.0/subnets': 'subnet',
  '/v2.0/ports': 'port',
  '/v2.0/routers': 'router',
  '/v2.0/floatingips': 'floating-ip',
  '/v2.0/security-groups': 'security-group',
  '/v2.0/security-group-rules': 'security-group-rule',
};

/** Words that mean something to some field, beside noise. */
const words = [
  '',
  'a',
  'default',
  'ingress',
  'egress',
  'IPv4',
  'IPv6',
  'tcp',
  'icmp',
  '6',
  '10.0.0.0/24',
  '10.0.0.5',
  '10.0.0.1',
  '203.0.113.9',
  'fd00::/64',
  'fd00::5',
  '::ffff:1.2.3.4',
  '0.0.0.0/0',
  '255.255.255.255',
  '10.0.0.0/31',
  'fa:16:3e:00:00:01',
  'network:dhcp',
  'compute:nova',
  'slaac',
  'a\nb',
  "'; drop table ports; --",
  '%',
  '\u{1F600}',
  'x'.repeat(300),
];

onBothEngines('whatever the schema lets through', (engine) => {
  let cloud: TestCloud;
  const ids: Record<string, string[]> = { project: ['project-a', 'project-b'] };
  const know = (kind: string, ...more: string[]): void => void (ids[kind] ??= []).push(...more);
  beforeAll(async () => {
    cloud = await testCloud(engine);
    const external = await cloud.external();
    const own = await cloud.networkWith('alice', '10.0.0.0/24');
    const six = await cloud.networkWith('alice', 'fd00::/64', {
      ipv6_address_mode: 'slaac',
      ipv6_ra_mode: 'slaac',
    });
    const router = await cloud.make('alice', '/routers', {
      router: { external_gateway_info: { network_id: external.networkId } },
    });
    const port = await cloud.make('alice', '/ports', { port: { network_id: own.networkId } });
    const floating = await cloud.make('alice', '/floatingips', {
      floatingip: { floating_network_id: external.networkId },
    });
    know('network', external.networkId, own.networkId, six.networkId);
    know('subnet', external.subnetId, own.subnetId, six.subnetId);
    know('router', router.id);
    know('port', port.id);
    know('floating-ip', floating.id);
    know('security-group', ...port.security_groups);
  });
  afterAll(() => cloud.close());

  const anyOf = (list: readonly string[]): fc.Arbitrary<string> =>
    fc.nat().map((at) => list[at % list.length] ?? 'nowhere');
  const idOf = (kind: string): fc.Arbitrary<string> =>
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc
          .nat()
          .chain((at) => fc.constant((ids[kind] ?? [])[at % (ids[kind]?.length ?? 1)] ?? 'nowhere')),
      },
      { weight: 1, arbitrary: anyOf(['nowhere', ...Object.values(ids).flat()]) },
    );
  const address = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((host) => `10.0.0.${host}`),
    fc.constantFrom('203.0.113.9', 'fd00::5', '::ffff:1.2.3.4', '10.0.0.255', 'x'),
  );
  const cidr = fc.oneof(
    fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 8, max: 32 }))
      .map(([net, prefix]) => `10.${net}.0.0/${prefix}`),
    fc.constantFrom('fd01::/64', 'fd02::/80', 'fd03::/126', '10.0.0.1/8', 'x'),
  );
  /** Fields in which a random word would hardly ever fit. */
  const byName: Record<string, fc.Arbitrary<unknown>> = {
    cidr,
    ip_address: address,
    gateway_ip: address,
    start: address,
    end: address,
    nexthop: address,
    destination: cidr,
    remote_ip_prefix: cidr,
    fixed_ip_address: address,
    floating_ip_address: address,
  };
  const noise: fc.Arbitrary<unknown> = fc.oneof(
    fc.constantFrom(...words),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.boolean(),
    fc.constant(null),
    fc.constant([]),
    fc.constant({}),
    fc.string({ unit: 'binary' }),
  );
  const valueOf = (schema: Plain): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 60, arbitrary: fitting(schema) }, { weight: 1, arbitrary: noise });
  /** The required properties and a few of the others: with all of them, some would nearly always be refused. */
  const someOf = (
    properties: Record<string, Plain>,
    required: readonly string[],
    most = 3,
  ): fc.Arbitrary<Record<string, unknown>> =>
    fc
      .subarray(
        Object.keys(properties).filter((name) => !required.includes(name)),
        {
          maxLength: Math.min(
            most,
            Object.keys(properties).filter((name) => !required.includes(name)).length,
          ),
        },
      )
      .chain((names) =>
        fc.record(
          Object.fromEntries(
            [...required, ...names].map((name) => [
              name,
              byName[name] ?? valueOf(properties[name] ?? ({} as Plain)),
            ]),
          ),
        ),
      );
  const fitting = (schema: Plain): fc.Arbitrary<unknown> => {
    if (schema['x-ref'] !== undefined) return idOf(schema['x-ref']);
    if ('const' in schema) return fc.constant(schema.const);
    if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(fitting));
    switch (schema.type) {
      case 'object':
        return someOf(schema.properties ?? {}, schema.required ?? []);
      case 'array':
        return fc.array(valueOf(schema.items ?? ({} as Plain)), { maxLength: 3 });
      case 'string':
        return fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom(...words) },
          { weight: 1, arbitrary: fc.string() },
        );
      case 'integer':
        return fc.oneof(
          fc.integer({ min: schema.minimum ?? -10, max: schema.maximum ?? 10 }),
          fc.constantFrom(0, -1, 22, 80, 255, 1e9),
        );
      case 'boolean':
        return fc.boolean();
      default:
        return fc.constant(null);
    }
  };

  test('no request ends in a server error', async () => {
    const { routes } = cloud.network.service;
    // Deletions come seldom, or there is soon nothing left to try things on.
    const request = fc
      .oneof(
        {
          weight: 9,
          arbitrary: fc.constantFrom(...routes.keys()).filter((at) => routes[at]?.method !== 'DELETE'),
        },
        { weight: 1, arbitrary: fc.nat(routes.length - 1) },
      )
      .chain((at) => {
        const route = routes[at];
        if (route === undefined) throw new Error('no route');
        const kinds = Object.values(route.ids);
        return fc.record({
          route: fc.constant(route),
          as: fc.constantFrom('alice', 'alice', 'bob', 'admin'),
          params: fc.tuple(...kinds.map((kind) => (kind === 'none' ? anyOf(words) : idOf(kind)))),
          query: someOf((route.query?.properties ?? {}) as Record<string, Plain>, [], 2),
          body: route.body === undefined ? fc.constant(undefined) : valueOf(route.body as Plain),
        });
      });
    await fc.assert(
      fc.asyncProperty(request, async ({ route, as, params, query, body }) => {
        let at = 0;
        const path = route.path.replace(/:[a-z_]+/g, () => encodeURIComponent(params[at++] ?? ''));
        const search = new URLSearchParams();
        for (const [name, value] of Object.entries(query))
          for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
        const answer = await cloud.server.call(
          as,
          route.method,
          `/network${path}?${search.toString()}`,
          body,
        );
        expect([
          route.method,
          path,
          search.toString(),
          JSON.stringify(body),
          answer.status < 500,
          answer.text,
        ]).toEqual([route.method, path, search.toString(), JSON.stringify(body), true, answer.text]);
        if (answer.status >= 400 && route.method !== 'HEAD')
          expect(answer.json.NeutronError.message).toBeTruthy();
        const kind = kinds[route.path];
        if (answer.status === 201 && answer.text !== '' && kind !== undefined)
          for (const made of Object.values(answer.json).flat() as { id?: string }[])
            if (made.id !== undefined) know(kind, made.id);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });

  test('and the quota ledger still equals the rows', async () => {
    const tables = {
      network: 'networks',
      subnet: 'subnets',
      router: 'routers',
      floatingip: 'floating_ips',
      security_group: 'security_groups',
      security_group_rule: 'security_group_rules',
    } as const;
    const usage = await cloud.platform.db.read.selectFrom('quota_usage').selectAll().execute();
    for (const [resource, table] of Object.entries(tables)) {
      const rows = await cloud.platform.db.read.selectFrom(table).select('project_id').execute();
      const counts = Map.groupBy(rows, (row) => row.project_id);
      for (const projectId of ['project-a', 'project-b', 'project-admin'])
        expect([
          resource,
          projectId,
          usage.find((one) => one.project_id === projectId && one.resource === resource)?.in_use ?? 0,
        ]).toEqual([resource, projectId, counts.get(projectId)?.length ?? 0]);
    }
    const held = await cloud.platform.db.read
      .selectFrom('ip_allocations as a')
      .leftJoin('ports as p', 'p.id', 'a.port_id')
      .select('a.ip_address')
      .where('p.id', 'is', null)
      .execute();
    expect(held).toEqual([]);
  });
});
