// What the compute service shows of its servers' ports: three queries, however many servers.
import type { Reader } from '../../../kernel/db/index.ts';
import { chunks } from '../rows.ts';
import type { ServerPort } from '../index.ts';

export async function portsOf(
  db: Pick<Reader, 'selectFrom'>,
  serverIds: readonly string[],
): Promise<Map<string, ServerPort[]>> {
  const out = new Map<string, ServerPort[]>(serverIds.map((id) => [id, []]));
  for (const part of chunks(serverIds)) {
    const ports = await db
      .selectFrom('ports as p')
      .innerJoin('networks as n', 'n.id', 'p.network_id')
      .select([
        'p.id',
        'p.server_id',
        'p.mac_address',
        'p.network_id',
        'p.server_tag',
        'p.leave_generation',
        'n.name',
      ])
      .where('p.server_id', 'in', part)
      .orderBy('p.server_id')
      .orderBy('p.server_position')
      .execute();
    if (ports.length === 0) continue;
    const addresses = await db
      .selectFrom('ports as p')
      .innerJoin('ip_allocations as a', 'a.port_id', 'p.id')
      .leftJoin('floating_ips as f', (join) =>
        join.onRef('f.fixed_port_id', '=', 'a.port_id').onRef('f.fixed_ip_address', '=', 'a.ip_address'),
      )
      .select(['a.port_id', 'a.subnet_id', 'a.ip_address', 'f.floating_ip_address'])
      .where('p.server_id', 'in', part)
      .orderBy('a.position')
      .execute();
    const groups = await db
      .selectFrom('ports as p')
      .innerJoin('port_security_groups as m', 'm.port_id', 'p.id')
      .innerJoin('security_groups as g', 'g.id', 'm.security_group_id')
      .select(['m.port_id', 'g.id', 'g.name'])
      .where('p.server_id', 'in', part)
      .orderBy('g.name')
      .execute();
    const addressesOf = Map.groupBy(addresses, (row) => row.port_id);
    const groupsOf = Map.groupBy(groups, (row) => row.port_id);
    for (const port of ports)
      out.get(port.server_id)?.push({
        portId: port.id,
        mac: port.mac_address,
        networkId: port.network_id,
        networkName: port.name,
        fixedIps: (addressesOf.get(port.id) ?? []).map((row) => ({
          subnetId: row.subnet_id,
          ipAddress: row.ip_address,
          version: row.ip_address.includes(':') ? 6 : 4,
          floatingIp: row.floating_ip_address,
        })),
        securityGroups: (groupsOf.get(port.id) ?? []).map(({ id, name }) => ({ id, name })),
        ...(port.server_tag === null ? {} : { tag: port.server_tag }),
        ...(port.leave_generation === null ? {} : { leaving: true }),
      });
  }
  return out;
}
