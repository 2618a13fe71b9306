// Which host has which network, security group and address group: exactly those that something on the host
// uses. Each function looks at one (host, object) pair, by index, so that a change costs what it touches.
import type { Tx } from '../../../kernel/db/index.ts';
import { wantedOn, type Items } from '../../host/index.ts';

/** A set of pairs, each held once. */
export type Pairs = Map<string, { hostId: string; id: string }>;
export const addPair = (pairs: Pairs, hostId: string, id: string): void =>
  void pairs.set(`${hostId} ${id}`, { hostId, id });
/** What is in `before` and not in `now`. */
export const lost = (before: Pairs, now: Pairs): { hostId: string; id: string }[] =>
  [...before].flatMap(([key, pair]) => (now.has(key) ? [] : [pair]));

export async function leaveNetwork(tx: Tx, items: Items, hostId: string, networkId: string): Promise<void> {
  const port = await tx
    .selectFrom('ports')
    .select('id')
    .where('host_id', '=', hostId)
    .where('network_id', '=', networkId)
    .limit(1)
    .executeTakeFirst();
  if (port !== undefined) return;
  const router = await tx
    .selectFrom('routers as r')
    .innerJoin('ports as p', 'p.device_id', 'r.id')
    .select('r.id')
    .where('r.host_id', '=', hostId)
    .where('p.network_id', '=', networkId)
    .limit(1)
    .executeTakeFirst();
  if (router === undefined) await items.unsubscribe(tx, hostId, 'network', networkId);
}

/** The group, and the address groups that its rules name. */
export async function joinGroup(tx: Tx, items: Items, hostId: string, groupId: string): Promise<void> {
  if ((await wantedOn(tx, hostId, 'security-group', [groupId])).length > 0) return;
  await items.subscribe(tx, hostId, 'security-group', groupId);
  for (const remote of await remoteGroups(tx, groupId))
    await items.subscribe(tx, hostId, 'address-group', remote);
}

export async function leaveGroup(tx: Tx, items: Items, hostId: string, groupId: string): Promise<void> {
  const port = await tx
    .selectFrom('port_security_groups as m')
    .innerJoin('ports as p', 'p.id', 'm.port_id')
    .select('p.id')
    .where('m.security_group_id', '=', groupId)
    .where('p.host_id', '=', hostId)
    .limit(1)
    .executeTakeFirst();
  if (port !== undefined) return;
  await items.unsubscribe(tx, hostId, 'security-group', groupId);
  for (const remote of await remoteGroups(tx, groupId)) await leaveAddressGroup(tx, items, hostId, remote);
}

export async function leaveAddressGroup(
  tx: Tx,
  items: Items,
  hostId: string,
  groupId: string,
): Promise<void> {
  const naming = await tx
    .selectFrom('security_group_rules')
    .select('security_group_id')
    .distinct()
    .where('remote_group_id', '=', groupId)
    .execute();
  const here = await wantedOn(
    tx,
    hostId,
    'security-group',
    naming.map((row) => row.security_group_id),
  );
  if (here.length === 0) await items.unsubscribe(tx, hostId, 'address-group', groupId);
}

async function remoteGroups(tx: Tx, groupId: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('security_group_rules')
    .select('remote_group_id')
    .distinct()
    .where('security_group_id', '=', groupId)
    .where('remote_group_id', 'is not', null)
    .execute();
  return rows.flatMap((row) => row.remote_group_id ?? []);
}
