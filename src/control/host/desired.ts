// What hosts are to have, as the services that compile it look it up: bodies as they were last compiled, who is to
// have them, and what was reported of them.
import type { ItemKind } from '../../protocol/items.ts';
import type { Tx } from '../../kernel/db/index.ts';

export type CompiledItem = { id: string; generation: number; body: string };

/** The items of a kind as they were last compiled; those never compiled are left out. */
export const compiledItems = (tx: Tx, kind: ItemKind, ids: readonly string[]): Promise<CompiledItem[]> =>
  tx
    .selectFrom('items')
    .select(['id', 'generation', 'body'])
    .where('kind', '=', kind)
    .where('id', 'in', [...ids])
    .execute();

/** One entry an item and host that is to have it, with the body as last compiled. */
export const wantedItems = (
  tx: Tx,
  kind: ItemKind,
  ids: readonly string[],
): Promise<{ hostId: string; id: string; body: string }[]> =>
  tx
    .selectFrom('host_items as h')
    .innerJoin('items as i', (join) => join.onRef('i.kind', '=', 'h.kind').onRef('i.id', '=', 'h.id'))
    .select(['h.host_id as hostId', 'h.id', 'i.body'])
    .where('h.kind', '=', kind)
    .where('h.id', 'in', [...ids])
    .where('h.wanted', '=', 1)
    .execute();

/** Which of these items the host is to have. */
export async function wantedOn(
  tx: Tx,
  hostId: string,
  kind: ItemKind,
  ids: readonly string[],
): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await tx
    .selectFrom('host_items')
    .select('id')
    .where('host_id', '=', hostId)
    .where('kind', '=', kind)
    .where('id', 'in', [...ids])
    .where('wanted', '=', 1)
    .execute();
  return rows.map((row) => row.id);
}

/** Whether some host that is to have the item reported it so. */
export async function reportedSomewhere(
  tx: Tx,
  kind: ItemKind,
  id: string,
  state: 'applied' | 'failed',
): Promise<boolean> {
  const row = await tx
    .selectFrom('host_items')
    .select('state')
    .where('kind', '=', kind)
    .where('id', '=', id)
    .where('state', '=', state)
    .where('wanted', '=', 1)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Names of those of these hosts that are registered. */
export async function hostnames(tx: Tx, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await tx
    .selectFrom('hosts')
    .select(['id', 'hostname'])
    .where('id', 'in', [...ids])
    .execute();
  return new Map(rows.map((row) => [row.id, row.hostname]));
}

export async function enabledHosts(tx: Pick<Tx, 'selectFrom'>): Promise<{ id: string; zone: string }[]> {
  return tx.selectFrom('hosts').select(['id', 'zone']).where('enabled', '=', 1).execute();
}
