// The books of a cloud at rest: addresses, what hosts have given away and what projects have used, each kept as a sum
// and as the rows that it is the sum of.
import type { Reader, Tables } from '../kernel/db/index.ts';
import { quotaOf, resizeFactsOf } from '../control/compute/servers/phases.ts';
import { inventoryOf } from '../control/placement/inventory.ts';

export type Rows = {
  servers: Tables['servers'][];
  ports: Tables['ports'][];
  hosts: Tables['hosts'][];
  routers: Tables['routers'][];
  memberships: Tables['port_security_groups'][];
  rules: Tables['security_group_rules'][];
  volumes: Tables['volumes'][];
  snapshots: Tables['volume_snapshots'][];
  attachments: Tables['volume_attachments'][];
};

/** What one of two sets lacks of the other. */
export function differences(what: string, actual: Iterable<string>, expected: Iterable<string>): string[] {
  const [is, should] = [new Set(actual), new Set(expected)];
  return [
    ...[...is].flatMap((one) => (should.has(one) ? [] : [`${what} ${one} is there and should not be`])),
    ...[...should].flatMap((one) => (is.has(one) ? [] : [`${what} ${one} should be there and is not`])),
  ];
}

/** Addresses of a subnet are free or held, and none is both. */
export async function addresses(read: Reader): Promise<string[]> {
  const pools = await read
    .selectFrom('subnets')
    .select(['id', 'allocation_pools', 'ip_version'])
    .where('ip_version', '=', 4)
    .execute();
  const held = await read.selectFrom('ip_allocations').select(['subnet_id', 'ip_address']).execute();
  const free = await read.selectFrom('free_addresses').selectAll().execute();
  const valueOf = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return pools.flatMap((subnet) => {
    const ranges = (JSON.parse(subnet.allocation_pools) as { start: string; end: string }[]).map(
      ({ start, end }) => [valueOf(start), valueOf(end)] as const,
    );
    const total = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    const used = held.filter(
      (one) =>
        one.subnet_id === subnet.id &&
        ranges.some(([first, last]) => valueOf(one.ip_address) >= first && valueOf(one.ip_address) <= last),
    ).length;
    const rest = free
      .filter((one) => one.subnet_id === subnet.id)
      .reduce((sum, one) => sum + Number(BigInt(`0x${one.last_key}`) - BigInt(`0x${one.first_key}`)) + 1, 0);
    return used + rest === total
      ? []
      : [`subnet ${subnet.id}: ${used} addresses are held and ${rest} are free of ${total}`];
  });
}

/** Counters of hosts equal the sums of what was claimed, and that is within what they have. */
export async function claims(read: Reader, rows: Rows): Promise<string[]> {
  const allocations = await read.selectFrom('allocations').selectAll().execute();
  const placed = rows.servers.flatMap((server) =>
    server.host_id === null
      ? []
      : [server.id, resizeFactsOf(server)?.migration ?? []].flat().map((id) => `${id} on ${server.host_id}`),
  );
  return [
    ...differences(
      'allocation of',
      allocations.map((one) => `${one.server_id} on ${one.host_id}`),
      placed,
    ),
    ...rows.hosts.flatMap((host) => {
      const here = allocations.filter((one) => one.host_id === host.id);
      const sum = (of: (one: Tables['allocations']) => number): number =>
        here.reduce((total, one) => total + of(one), 0);
      const expected = {
        used_vcpus: sum((one) => one.vcpus),
        used_memory_mib: sum((one) => one.memory_mib),
        used_disk_gib: sum((one) => one.disk_gib),
        servers: here.length,
      } as const;
      const offered = inventoryOf(host);
      return [
        ...(Object.keys(expected) as (keyof typeof expected)[]).flatMap((key) =>
          host[key] === expected[key]
            ? []
            : [`${host.hostname}: ${key} is ${host[key]}, its allocations sum to ${expected[key]}`],
        ),
        ...(host.used_vcpus > offered.vcpus ||
        host.used_memory_mib > offered.memoryMib ||
        host.used_disk_gib > offered.diskGib
          ? [`${host.hostname} is over-allocated`]
          : []),
      ];
    }),
  ];
}

/** Of the routers, of DHCP, of floating IPs: they go with what they serve, which has its own quota. */
const UNPAID_PORTS = [
  'network:router_interface',
  'network:dhcp',
  'network:router_gateway',
  'network:floatingip',
];

/** The ledger equals the rows that were paid for, for every project and resource. */
export async function ledger(read: Reader, rows: Rows): Promise<string[]> {
  const expected = new Map<string, number>();
  const count = (project: string, resource: string, amount: number): void =>
    void expected.set(`${project} ${resource}`, (expected.get(`${project} ${resource}`) ?? 0) + amount);
  for (const server of rows.servers) {
    const held = quotaOf(server);
    count(server.project_id, 'instances', 1);
    count(server.project_id, 'cores', held.cores);
    count(server.project_id, 'ram', held.ram);
  }
  for (const port of rows.ports)
    if (!UNPAID_PORTS.includes(port.device_owner)) count(port.project_id, 'port', 1);
  for (const router of rows.routers) count(router.project_id, 'router', 1);
  for (const rule of rows.rules) count(rule.project_id, 'security_group_rule', 1);
  const tables = [
    ['networks', 'network'],
    ['subnets', 'subnet'],
    ['security_groups', 'security_group'],
    ['floating_ips', 'floatingip'],
    ['port_forwardings', 'port_forwarding'],
    ['qos_policies', 'qos_policy'],
    ['server_groups', 'server_groups'],
    ['subnet_pools', 'subnetpool'],
    ['volumes', 'volumes'],
    ['volume_snapshots', 'snapshots'],
    ['volume_backups', 'backups'],
    ['volume_groups', 'groups'],
  ] as const;
  for (const [table, resource] of tables)
    for (const row of await read.selectFrom(table).selectAll().execute())
      if (!('hidden' in row) || row.hidden === 0) count(row.project_id, resource, 1);
  for (const row of await read.selectFrom('network_rbac').select(['project_id', 'counted']).execute())
    count(row.project_id, 'rbac_policy', row.counted);
  for (const table of ['volumes', 'volume_snapshots'] as const)
    for (const row of await read.selectFrom(table).selectAll().execute())
      if (!('hidden' in row) || row.hidden === 0) count(row.project_id, 'gigabytes', row.size_gib);
  for (const row of await read.selectFrom('volume_backups').selectAll().execute())
    count(row.project_id, 'backup_gigabytes', row.size_gib);
  const actual = new Map(
    (await read.selectFrom('quota_usage').selectAll().execute()).map((row) => [
      `${row.project_id} ${row.resource}`,
      row.in_use,
    ]),
  );
  const known = new Set([...expected.keys()].map((key) => key.split(' ')[1]));
  return [...new Set([...expected.keys(), ...actual.keys()])].flatMap((key) => {
    const [is, should] = [actual.get(key) ?? 0, expected.get(key) ?? 0];
    return is === should || (should === 0 && !known.has(key.split(' ')[1]) && is === 0)
      ? []
      : [`quota ledger: ${key} is ${is}, its rows sum to ${should}`];
  });
}
