// Security groups and the address groups that their rules name, to items. A group's members change its
// address group only; its rules change its own item only.
import type { Tx } from '../../../kernel/db/index.ts';
import type { SecurityGroupBody } from '../../../protocol/items.ts';
import { compiledItems, type Items } from '../../host/index.ts';
import { addressGroupBody, pairsOf, securityGroupBody } from './bodies.ts';
import { leaveAddressGroup } from './subscriptions.ts';

const remotesOf = (body: SecurityGroupBody): Set<string> =>
  new Set(body.rules.flatMap((rule) => rule.remoteGroupId ?? []));

export const compileSecurityGroups =
  (items: Items) =>
  async (tx: Tx, ids: string[]): Promise<void> => {
    const rows = await tx.selectFrom('security_groups').selectAll().where('id', 'in', ids).execute();
    const rules = Map.groupBy(
      await tx
        .selectFrom('security_group_rules')
        .selectAll()
        .where('security_group_id', 'in', ids)
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
      (row) => row.security_group_id,
    );
    const before = new Map(
      (await compiledItems(tx, 'security-group', ids)).map((item) => [
        item.id,
        remotesOf(JSON.parse(item.body) as SecurityGroupBody),
      ]),
    );
    for (const id of ids) {
      const row = rows.find((one) => one.id === id);
      const hosts = await items.subscribers(tx, 'security-group', id);
      const body = row === undefined ? null : securityGroupBody(row, rules.get(id) ?? []);
      if (body === null) await items.drop(tx, 'security-group', id);
      else await items.put(tx, 'security-group', id, body);
      const now = body === null ? new Set<string>() : remotesOf(body);
      for (const remote of now)
        for (const host of hosts) await items.subscribe(tx, host, 'address-group', remote);
      for (const remote of before.get(id) ?? [])
        if (!now.has(remote)) for (const host of hosts) await leaveAddressGroup(tx, items, host, remote);
    }
  };

/** Only groups that some rule names are compiled; nobody asks for the members of the others. */
export const compileAddressGroups =
  (items: Items) =>
  async (tx: Tx, ids: string[]): Promise<void> => {
    const named = new Set(
      (
        await tx
          .selectFrom('security_group_rules')
          .select('remote_group_id')
          .distinct()
          .where('remote_group_id', 'in', ids)
          .execute()
      ).map((row) => row.remote_group_id),
    );
    const compiled = new Set((await compiledItems(tx, 'address-group', ids)).map((row) => row.id));
    for (const id of ids) {
      if (!named.has(id)) {
        if (compiled.has(id)) await items.drop(tx, 'address-group', id);
        continue;
      }
      const members = await tx
        .selectFrom('port_security_groups as m')
        .innerJoin('ip_allocations as a', 'a.port_id', 'm.port_id')
        .select('a.ip_address')
        .where('m.security_group_id', '=', id)
        .execute();
      const paired = await tx
        .selectFrom('port_security_groups as m')
        .innerJoin('ports as p', 'p.id', 'm.port_id')
        .select('p.allowed_address_pairs')
        .where('m.security_group_id', '=', id)
        .where('p.allowed_address_pairs', '!=', '[]')
        .execute();
      await items.put(
        tx,
        'address-group',
        id,
        addressGroupBody([
          ...members.map((row) => row.ip_address),
          ...paired.flatMap((row) => pairsOf(row).map((pair) => pair.ip_address)),
        ]),
      );
    }
  };
