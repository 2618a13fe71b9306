// Ports to items: a port that is bound to a host exists there, with its network and groups. Changing one
// port writes its own item and looks at the subscriptions of its own host only.
import type { Tx } from '../../../kernel/db/index.ts';
import type { PortBody } from '../../../protocol/items.ts';
import { wantedItems, type Items } from '../../host/index.ts';
import { limitsOf } from '../qos/bindings.ts';
import { portBody } from './bodies.ts';
import { addPair, joinGroup, leaveGroup, leaveNetwork, lost, type Pairs } from './subscriptions.ts';

export const compilePorts =
  (items: Items) =>
  async (tx: Tx, ids: string[]): Promise<void> => {
    const rows = await tx.selectFrom('ports').selectAll().where('id', 'in', ids).execute();
    const addresses = Map.groupBy(
      await tx
        .selectFrom('ip_allocations')
        .selectAll()
        .where('port_id', 'in', ids)
        .orderBy('position')
        .execute(),
      (row) => row.port_id,
    );
    const memberships = await tx
      .selectFrom('port_security_groups')
      .selectAll()
      .where('port_id', 'in', ids)
      .orderBy('security_group_id')
      .execute();
    const groups = Map.groupBy(memberships, (row) => row.port_id);
    const limits = await limitsOf(
      tx,
      rows.map((row) => ({ id: row.id, networkId: row.network_id })),
    );
    const before = await wantedItems(tx, 'port', ids);
    const networksBefore: Pairs = new Map();
    const groupsBefore: Pairs = new Map();
    for (const old of before) {
      const body = JSON.parse(old.body) as PortBody;
      addPair(networksBefore, old.hostId, body.networkId);
      for (const group of body.securityGroupIds) addPair(groupsBefore, old.hostId, group);
    }
    const networksNow: Pairs = new Map();
    const groupsNow: Pairs = new Map();
    for (const id of ids) {
      const row = rows.find((one) => one.id === id);
      const oldHosts = before.filter((old) => old.id === id).map((old) => old.hostId);
      if (row === undefined || row.server_id === '' || row.host_id === '') {
        if (oldHosts.length > 0) await items.drop(tx, 'port', id);
        continue;
      }
      const groupIds = (groups.get(id) ?? []).map((one) => one.security_group_id);
      await items.put(tx, 'port', id, portBody(row, addresses.get(id) ?? [], groupIds, limits.get(id)));
      for (const host of oldHosts) if (host !== row.host_id) await items.unsubscribe(tx, host, 'port', id);
      if (!oldHosts.includes(row.host_id)) await items.subscribe(tx, row.host_id, 'port', id);
      addPair(networksNow, row.host_id, row.network_id);
      for (const group of groupIds) addPair(groupsNow, row.host_id, group);
    }
    for (const pair of networksNow.values()) await items.subscribe(tx, pair.hostId, 'network', pair.id);
    for (const pair of groupsNow.values()) await joinGroup(tx, items, pair.hostId, pair.id);
    for (const pair of lost(networksBefore, networksNow)) await leaveNetwork(tx, items, pair.hostId, pair.id);
    for (const pair of lost(groupsBefore, groupsNow)) await leaveGroup(tx, items, pair.hostId, pair.id);
  };
