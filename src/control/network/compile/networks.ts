// Networks to items: one item a network, whatever the number of hosts; hosts join it with their first port.
import type { Tx } from '../../../kernel/db/index.ts';
import { hostnames, type Items } from '../../host/index.ts';
import { DHCP_OWNER } from '../ports/dhcp-port.ts';
import { networkBody } from './bodies.ts';

export const compileNetworks =
  (items: Items) =>
  async (tx: Tx, ids: string[]): Promise<void> => {
    const rows = await tx.selectFrom('networks').selectAll().where('id', 'in', ids).execute();
    const subnets = Map.groupBy(
      await tx
        .selectFrom('subnets')
        .selectAll()
        .where('network_id', 'in', ids)
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
      (row) => row.network_id,
    );
    const dhcp = await tx
      .selectFrom('ports as p')
      .innerJoin('ip_allocations as a', 'a.port_id', 'p.id')
      .select(['a.subnet_id', 'a.ip_address', 'p.mac_address'])
      .where('p.network_id', 'in', ids)
      .where('p.device_owner', '=', DHCP_OWNER)
      .execute();
    const excluded = await tx
      .selectFrom('dhcp_exclusions')
      .selectAll()
      .where('network_id', 'in', ids)
      .execute();
    const names = await hostnames(
      tx,
      excluded.map((one) => one.host_id),
    );
    const withoutDhcp = (id: string): string[] =>
      excluded.flatMap((one) => (one.network_id === id ? (names.get(one.host_id) ?? []) : [])).sort();
    const addresses = new Map(dhcp.map((one) => [one.subnet_id, one]));
    for (const id of ids) {
      const row = rows.find((one) => one.id === id);
      if (row === undefined) await items.drop(tx, 'network', id);
      else
        await items.put(
          tx,
          'network',
          id,
          networkBody(row, subnets.get(id) ?? [], addresses, withoutDhcp(id)),
        );
    }
  };
