// The desired state of hosts, incremental by construction: an item is stored once for the whole cloud, hosts
// subscribe to it, and a change costs one row whatever the number of hosts.
import type { ItemBodies, ItemKind } from '../../protocol/items.ts';
import { nextCounter, type Tx } from '../../kernel/db/index.ts';

export type Items = {
  /** Stores the body; its generation grows only when the body differs. Returns the generation. */
  put<K extends ItemKind>(tx: Tx, kind: K, id: string, body: ItemBodies[K]): Promise<number>;
  /** The item must exist on this host. Idempotent. */
  subscribe(tx: Tx, hostId: string, kind: ItemKind, id: string): Promise<void>;
  /** The item must go from this host; the host reports it 'gone' when it has. Idempotent. */
  unsubscribe(tx: Tx, hostId: string, kind: ItemKind, id: string): Promise<void>;
  /** The item must go everywhere. */
  drop(tx: Tx, kind: ItemKind, id: string): Promise<void>;
  /** Hosts that are to have the item. */
  subscribers(tx: Tx, kind: ItemKind, id: string): Promise<string[]>;
};

const COUNTER = 'item-revision';

const revisions = new WeakMap<Tx, Promise<number>>();
/** One a transaction: what is committed together is pulled together. */
function revisionOf(tx: Tx): Promise<number> {
  let revision = revisions.get(tx);
  if (revision === undefined) {
    revision = nextCounter(tx, COUNTER);
    revisions.set(tx, revision);
  }
  return revision;
}

/** `wake(hostIds)` is called after the commit, with the hosts that have something to pull. */
export function createItems(wake: (hostIds: readonly string[]) => void): Items {
  const wakeAfter = (tx: Tx, hostIds: readonly string[]): void => {
    if (hostIds.length > 0) tx.afterCommit(() => wake(hostIds));
  };

  const subscribers: Items['subscribers'] = async (tx, kind, id) => {
    const rows = await tx
      .selectFrom('host_items')
      .select('host_id')
      .where('kind', '=', kind)
      .where('id', '=', id)
      .where('wanted', '=', 1)
      .execute();
    return rows.map((row) => row.host_id);
  };

  return {
    subscribers,
    async put(tx, kind, id, body) {
      const text = JSON.stringify(body);
      const before = await tx
        .selectFrom('items')
        .select(['generation', 'body'])
        .where('kind', '=', kind)
        .where('id', '=', id)
        .executeTakeFirst();
      if (before?.body === text) return before.generation;
      const revision = await revisionOf(tx);
      // An item that was dropped and comes back must not repeat a generation: agents and caches know the old body by it.
      const generation = before === undefined ? revision : before.generation + 1;
      if (before === undefined)
        await tx.insertInto('items').values({ kind, id, generation, revision, body: text }).execute();
      else
        await tx
          .updateTable('items')
          .set({ generation, revision, body: text })
          .where('kind', '=', kind)
          .where('id', '=', id)
          .execute();
      wakeAfter(tx, await subscribers(tx, kind, id));
      return generation;
    },
    async subscribe(tx, hostId, kind, id) {
      const before = await tx
        .selectFrom('host_items')
        .select('wanted')
        .where('host_id', '=', hostId)
        .where('kind', '=', kind)
        .where('id', '=', id)
        .executeTakeFirst();
      if (before?.wanted === 1) return;
      const revision = await revisionOf(tx);
      await tx
        .insertInto('host_items')
        .values({
          host_id: hostId,
          kind,
          id,
          wanted: 1,
          revision,
          applied_generation: 0,
          state: 'pending',
          error: null,
        })
        .onConflict((oc) =>
          oc
            .columns(['host_id', 'kind', 'id'])
            .doUpdateSet({ wanted: 1, revision, applied_generation: 0, state: 'pending', error: null }),
        )
        .execute();
      wakeAfter(tx, [hostId]);
    },
    async unsubscribe(tx, hostId, kind, id) {
      const before = await tx
        .selectFrom('host_items')
        .select('wanted')
        .where('host_id', '=', hostId)
        .where('kind', '=', kind)
        .where('id', '=', id)
        .executeTakeFirst();
      if (before?.wanted !== 1) return;
      const revision = await revisionOf(tx);
      await tx
        .updateTable('host_items')
        .set({ wanted: 0, revision })
        .where('host_id', '=', hostId)
        .where('kind', '=', kind)
        .where('id', '=', id)
        .execute();
      wakeAfter(tx, [hostId]);
    },
    async drop(tx, kind, id) {
      const revision = await revisionOf(tx);
      const hosts = await subscribers(tx, kind, id);
      await tx
        .updateTable('host_items')
        .set({ wanted: 0, revision })
        .where('kind', '=', kind)
        .where('id', '=', id)
        .where('wanted', '=', 1)
        .execute();
      await tx.deleteFrom('items').where('kind', '=', kind).where('id', '=', id).execute();
      wakeAfter(tx, hosts);
    },
  };
}
