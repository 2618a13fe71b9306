// Bad input, generated for every field that the schemas declare: the refusal is a 400 that names the field, and not
// one row of any table is made or lost. Then the bad inputs that no schema can tell.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onBothEngines } from '../database.ts';
import type { Answer } from '../http.ts';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { messageOf } from './fault-shapes.ts';
import { createFurnishedTenant, externalNetworkId, type Tenant } from './fixtures.ts';
import { asCurl, buildRequest, setAt } from './requests.ts';
import { rowCounts, tableNames } from './rows.ts';
import { asSchema, nameOf, places, type Entry, type Place, type Schema, type Step } from './schema-walk.ts';

const neutron = '/network/v2.0';

onBothEngines('bad input', (engine) => {
  let cloud: TestCloud;
  let tenant: Tenant;
  let ids: Record<string, string>;
  let tables: string[];
  beforeAll(async () => {
    cloud = await openTestCloud(engine);
    tenant = await createFurnishedTenant(cloud, 'zebra');
    ids = { ...tenant.ids, external: await externalNetworkId(cloud) };
    await cloud.settle();
    tables = await tableNames(cloud.control.platform.db);
  });
  afterAll(() => cloud.close());

  const counts = (): Promise<string> =>
    rowCounts(cloud.control.platform.db, tables).then((rows) => JSON.stringify(rows));
  const messageIn = (entry: Entry, answer: Answer): string =>
    messageOf(entry.service.fault, answer.text, answer.status) ?? '';

  /** Puts each value of `bad` at each place that `wanted` picks, in every body: 400, the field named, nothing changed. */
  async function refusedEverywhere(
    wanted: (schema: Schema) => boolean,
    bad: (place: Place) => unknown[],
    exempt: RegExp,
    least: number,
  ): Promise<void> {
    const failures: string[] = [];
    let tried = 0;
    let before = await counts();
    for (const entry of cloud.entries) {
      if (entry.route.body === undefined || entry.route.streams === true) continue;
      for (const place of places(asSchema(entry.route.body), entry.minor, wanted)) {
        const name = `${entry.key} ${nameOf(place.steps)}`;
        if (exempt.test(name)) continue;
        for (const value of bad(place)) {
          const request = buildRequest(entry, cloud.admin, {
            ids,
            put: { in: 'body', steps: place.steps, value },
          });
          const answer = await cloud.send(request);
          tried += 1;
          const fields = place.steps.flatMap((step) => ('property' in step ? [step.property] : []));
          if (answer.status !== 400)
            failures.push(
              `${name} = ${JSON.stringify(value)?.slice(0, 60)}: ${answer.status} ${answer.text.slice(0, 200)}\n    ${asCurl(request).slice(0, 600)}`,
            );
          else if (fields.length > 0 && !fields.some((field) => messageIn(entry, answer).includes(field)))
            failures.push(`${name}: the message names no field: ${messageIn(entry, answer)}`);
          const after = await counts();
          if (after !== before) failures.push(`${name}: rows changed from ${before} to ${after}`);
          before = after;
        }
      }
    }
    expect(failures.join('\n')).toBe('');
    expect(tried).toBeGreaterThan(least);
  }

  const scalar = (schema: Schema): boolean =>
    schema.const === undefined && ['string', 'integer', 'number', 'boolean'].includes(String(schema.type));

  it('a control character in any string field is refused', async () => {
    // Secrets are hashed or compared, never written anywhere.
    const secrets = /(password|original_password|auth\.identity\.token\.id)$/;
    await refusedEverywhere(
      (schema) => schema.type === 'string' && schema.const === undefined,
      () => ['zebra\u0007', 'zebra\u001b[31m'],
      secrets,
      150,
    );
  }, 120_000);

  it('a value of a wrong type in any field is refused', async () => {
    await refusedEverywhere(scalar, () => [{ quagga: 1 }, [[]]], /^$/, 300);
  }, 120_000);

  // Nova takes any fraction for these.
  const fractions = /(extra_specs.*|rxtx_factor)$/;
  it('a number beyond any range is refused in any number field', async () => {
    await refusedEverywhere(
      (schema) => schema.type === 'integer' || schema.type === 'number',
      () => [1e308, -1e308, -(2 ** 63), 2 ** 63],
      fractions,
      50,
    );
    await refusedEverywhere(
      (schema) => schema.type === 'integer',
      () => [1.5],
      fractions,
      50,
    );
  }, 120_000);

  it('an unknown field in any object is refused', async () => {
    const closed = (schema: Schema): boolean =>
      schema.type === 'object' && schema.additionalProperties === false && schema.properties !== undefined;
    const failures: string[] = [];
    let tried = 0;
    const before = await counts();
    for (const entry of cloud.entries) {
      if (entry.route.body === undefined) continue;
      for (const { steps } of places(asSchema(entry.route.body), entry.minor, closed)) {
        const extra: Step[] = [...steps, { property: 'quagga_extra' }];
        const { body, ...request } = buildRequest(entry, cloud.admin, {
          ids,
          put: { in: 'body', steps, value: {} },
        });
        const inner =
          entry.route.action === undefined ? body : (body as Record<string, unknown>)[entry.route.action];
        const changed = setAt(inner, extra, 1);
        const answer = await cloud.send({
          ...request,
          payload: JSON.stringify(
            entry.route.action === undefined ? changed : { [entry.route.action]: changed },
          ),
        });
        tried += 1;
        if (answer.status !== 400 || !messageIn(entry, answer).includes('quagga_extra'))
          failures.push(`${entry.key} ${nameOf(extra)}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }
    }
    expect(await counts()).toBe(before);
    expect(failures.join('\n')).toBe('');
    expect(tried).toBeGreaterThan(60);
  }, 120_000);

  it('malformed JSON, a body of a wrong kind and a body of 10 MiB are refused on every route that reads one', async () => {
    const failures: string[] = [];
    const before = await counts();
    const large = Buffer.alloc(10 * 1024 * 1024, ' ');
    for (const entry of cloud.entries) {
      if (
        entry.route.body === undefined ||
        entry.route.streams === true ||
        (entry.route.action !== undefined && entry.route.action !== 'os-start')
      )
        continue;
      const request = buildRequest(entry, cloud.admin, { ids });
      for (const [payload, status] of [
        ['{"a":', 400],
        ['{"a":1}}', 400],
        ['"zebra"', 400],
        ['7', 400],
        ['{"a":"\\u0000"}', 400],
        ['{"__proto__":{"a":1}}', 400],
        [large, 413],
      ] as const) {
        const answer = await cloud.send({
          ...request,
          headers: { ...request.headers, 'content-type': 'application/json' },
          payload,
        });
        if (answer.status !== status || messageIn(entry, answer) === '')
          failures.push(
            `${entry.key} with ${String(payload).slice(0, 30).trim()}: ${answer.status} instead of ${status}: ${answer.text.slice(0, 200)}`,
          );
      }
    }
    expect(failures.join('\n')).toBe('');
    expect(await counts()).toBe(before);
  }, 120_000);

  it('a control character in a path is an object that does not exist', async () => {
    for (const entry of cloud.entries) {
      if (Object.keys(entry.route.ids).length === 0) continue;
      const request = buildRequest(entry, cloud.admin, { ids });
      const path = (entry.service.prefix + entry.route.path).replace(/:[a-z_]+/g, 'zebra%0a');
      const answer = await cloud.send({ ...request, url: path });
      expect(
        [400, 404],
        `${entry.route.method} ${path}: ${answer.status} ${answer.text.slice(0, 200)}`,
      ).toContain(answer.status);
    }
  });

  /** The answer of a refused request; fails when rows changed. */
  async function refused(
    status: number,
    method: string,
    url: string,
    body: unknown,
    token = tenant.tokens.member,
  ): Promise<string> {
    const before = await counts();
    const answer = await cloud.call(token, method, url, body);
    expect(answer.status, answer.text).toBe(status);
    expect(await counts()).toBe(before);
    return answer.text;
  }

  it('names that exist already are refused with the name', async () => {
    expect(
      await refused(409, 'POST', '/compute/v2.1/os-keypairs', {
        keypair: {
          name: 'zebra-keypair',
          public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqbhHhJ9Y4PnGkZ4p7YNyZrPq0Q0UxvVQmXK8p2oWnZ x',
        },
      }),
    ).toContain('zebra-keypair');
    expect(
      await refused(
        409,
        'POST',
        '/identity/v3/projects',
        { project: { name: 'zebra-project' } },
        cloud.admin,
      ),
    ).toContain('zebra-project');
    expect(
      await refused(409, 'POST', '/identity/v3/users', { user: { name: 'zebra-member' } }, cloud.admin),
    ).toContain('zebra-member');
    expect(
      await refused(409, 'POST', '/identity/v3/domains', { domain: { name: 'zebra-domain' } }, cloud.admin),
    ).toContain('zebra-domain');
    expect(
      await refused(
        409,
        'POST',
        '/compute/v2.1/flavors',
        { flavor: { name: 'zebra-flavor', vcpus: 1, ram: 64, disk: 1 } },
        cloud.admin,
      ),
    ).toContain('zebra-flavor');
    expect(
      await refused(409, 'POST', `${neutron}/security-group-rules`, {
        security_group_rule: {
          security_group_id: ids['security-group'],
          direction: 'ingress',
          ethertype: 'IPv4',
          protocol: 'tcp',
          port_range_min: 22,
          port_range_max: 22,
        },
      }),
    ).toMatch(/exists/);
  });

  it('a subnet that overlaps, a gateway outside of it and an address that is none are refused with the value', async () => {
    const subnet = (more: object) => ({
      subnet: { network_id: ids['network'], ip_version: 4, cidr: '10.93.0.0/24', ...more },
    });
    expect(await refused(400, 'POST', `${neutron}/subnets`, subnet({ cidr: '10.90.0.128/25' }))).toMatch(
      /10\.90\.0\.128\/25.*overlap/,
    );
    expect(await refused(400, 'POST', `${neutron}/subnets`, subnet({ gateway_ip: '10.94.0.1' }))).toContain(
      '10.94.0.1',
    );
    expect(await refused(400, 'POST', `${neutron}/subnets`, subnet({ cidr: '10.93.0.0/33' }))).toContain(
      '10.93.0.0/33',
    );
    expect(await refused(400, 'POST', `${neutron}/subnets`, subnet({ cidr: 'fd00::/64' }))).toMatch(
      /fd00::\/64|ip_version/,
    );
    expect(
      await refused(
        400,
        'POST',
        `${neutron}/subnets`,
        subnet({ allocation_pools: [{ start: '10.93.0.20', end: '10.93.0.10' }] }),
      ),
    ).toContain('10.93.0.20');
    expect(
      await refused(
        400,
        'POST',
        `${neutron}/subnets`,
        subnet({ allocation_pools: [{ start: '10.95.0.2', end: '10.95.0.10' }] }),
      ),
    ).toContain('10.95.0');
    expect(
      await refused(400, 'POST', `${neutron}/subnets`, subnet({ dns_nameservers: ['1.1.1.1\nport=0'] })),
    ).toContain('dns_nameservers');
    expect(
      await refused(400, 'POST', `${neutron}/ports`, {
        port: { network_id: ids['network'], fixed_ips: [{ ip_address: '10.99.0.4' }] },
      }),
    ).toContain('10.99.0.4');
    // One bad one of several: none is made.
    expect(
      await refused(400, 'POST', `${neutron}/subnets`, {
        subnets: [subnet({}).subnet, subnet({ cidr: 'nonsense' }).subnet],
      }),
    ).toContain('nonsense');
  });

  it('a pool without addresses left refuses the next port, and nothing of it stays', async () => {
    const network = (
      await cloud.must(tenant.tokens.member, 'POST', `${neutron}/networks`, { network: { name: 'small' } })
    ).network.id as string;
    await cloud.must(tenant.tokens.member, 'POST', `${neutron}/subnets`, {
      subnet: {
        network_id: network,
        ip_version: 4,
        cidr: '10.96.0.0/29',
        enable_dhcp: false,
        allocation_pools: [{ start: '10.96.0.2', end: '10.96.0.3' }],
      },
    });
    for (let made = 0; made < 2; made++)
      await cloud.must(tenant.tokens.member, 'POST', `${neutron}/ports`, { port: { network_id: network } });
    await cloud.settle();
    expect(await refused(409, 'POST', `${neutron}/ports`, { port: { network_id: network } })).toContain(
      'No more IP addresses available',
    );
    expect(
      await refused(409, 'POST', `${neutron}/ports`, {
        ports: [{ network_id: ids['network'] }, { network_id: network }],
      }),
    ).toContain(network);
    const text = await refused(400, 'POST', '/compute/v2.1/servers', {
      server: {
        name: 'late',
        flavorRef: ids['flavor'],
        imageRef: ids['image'],
        networks: [{ uuid: network, fixed_ip: '10.96.0.9' }],
      },
    });
    expect(text).toContain('10.96.0.9');
  });
});
