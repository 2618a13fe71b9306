// What a router is connected to: its ports with their addresses and subnets.
import type { Queries } from '../rows.ts';

export const INTERFACE = 'network:router_interface';
export const GATEWAY = 'network:router_gateway';

/** One row an address of a port of these routers, in the order of the ports' making. */
export const routerAddresses = (db: Queries, routerIds: readonly string[]) =>
  db
    .selectFrom('ports as p')
    .innerJoin('ip_allocations as a', 'a.port_id', 'p.id')
    .innerJoin('subnets as s', 's.id', 'a.subnet_id')
    .select([
      'p.id as port_id',
      'p.device_id as router_id',
      'p.device_owner',
      'p.network_id',
      'p.mac_address',
      'a.ip_address',
      'a.subnet_id',
      's.cidr',
      's.gateway_ip',
      's.ip_version',
      's.ipv6_ra_mode',
      's.dns_nameservers',
    ])
    .where('p.device_id', 'in', [...routerIds])
    .where('p.device_owner', 'in', [INTERFACE, GATEWAY])
    .orderBy('p.created_at')
    .orderBy('p.id')
    .orderBy('a.position')
    .execute();
export type RouterAddress = Awaited<ReturnType<typeof routerAddresses>>[number];
