// Control's end of the link to agents: registration, pulls by revision, and reports. In `up` the agent calls
// it in the same process.
import type { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { nextCounter, type Tx } from '../../kernel/db/index.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Item, ItemKind } from '../../protocol/items.ts';
import type { HostFacts, HostQueries, Link, Report } from '../../protocol/link.ts';
import type { HostReport, ReportHandler } from './index.ts';
import { anticipated } from './queries.ts';

type LinkParts = {
  platform: Platform;
  wakes: Map<string, Set<() => void>>;
  queries: Map<string, HostQueries>;
  reportHandlers: ReadonlyMap<ItemKind, ReportHandler>;
  hostHandlers: readonly ((tx: Tx, hostId: string) => Promise<void>)[];
  openImage(imageId: string): Promise<Readable>;
  guestPassword: Link['guestPassword'];
};

type Entry = {
  hostId: string;
  reports: Report[];
  sequence: number | undefined;
  done(): void;
  failed(error: unknown): void;
};

/** Numbers between two lives of an agent: what the one before sent and lost is always below. */
const REPORTS_A_LIFE = 1_000_000;

/** False: this host is not to have the item, and was not. */
async function record(tx: Tx, { hostId, kind, id, generation, state, error }: HostReport): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('host_items')
    .set({ applied_generation: generation, state, error })
    .where('host_id', '=', hostId)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** False also when the item is wanted again. */
async function forget(tx: Tx, { hostId, kind, id }: HostReport): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('host_items')
    .where('host_id', '=', hostId)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .where('wanted', '=', 0)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

export function createLink(parts: LinkParts): Link {
  const { platform, wakes, queries, reportHandlers, hostHandlers } = parts;
  /** By kind, id and generation: a body that a thousand hosts pull at the same moment is read and parsed once. */
  const bodies = new LRUCache<string, Promise<Item | null>>({ max: 4096 });
  /** Reports of one turn of the event loop share a transaction. */
  let pending: Entry[] = [];

  /** False: something that was said later has been heard already. */
  const isNext = async (tx: Tx, { hostId, sequence }: Entry): Promise<boolean> => {
    if (sequence === undefined) return true;
    const updated = await tx
      .updateTable('host_reports')
      .set({ sequence })
      .where('host_id', '=', hostId)
      .where('sequence', '<', sequence)
      .executeTakeFirst();
    return updated.numUpdatedRows === 1n;
  };

  const recordAll = async (tx: Tx, entries: Entry[]): Promise<void> => {
    const all: HostReport[] = [];
    for (const entry of entries)
      if (await isNext(tx, entry))
        for (const report of entry.reports) all.push({ ...report, hostId: entry.hostId });
    const accepted: HostReport[] = [];
    for (const report of all) {
      // What is said twice, or by a host that lost the item long ago, finds no row; what is wanted again
      // meanwhile stays: the next pull brings it back.
      const changed = report.state === 'gone' ? await forget(tx, report) : await record(tx, report);
      if (changed) accepted.push(report);
    }
    for (const [kind, reports] of Map.groupBy(accepted, (report) => report.kind))
      await reportHandlers.get(kind)?.(tx, reports);
  };

  /** null: dropped meanwhile. Of a later generation when there is one already. */
  const bodyOf = ({
    kind,
    id,
    generation,
  }: {
    kind: string;
    id: string;
    generation: number;
  }): Promise<Item | null> => {
    const key = `${kind}/${id}/${generation}`;
    const known = bodies.get(key);
    if (known !== undefined) return known;
    const read = platform.db.read
      .selectFrom('items')
      .select(['generation', 'body'])
      .where('kind', '=', kind)
      .where('id', '=', id)
      .executeTakeFirst()
      .then((row) =>
        row === undefined
          ? null
          : ({ kind, id, generation: row.generation, body: JSON.parse(row.body) } as Item),
      );
    bodies.set(key, read);
    // What failed, or answered for another generation, is asked for again.
    read.then(
      (item) => item?.generation !== generation && bodies.delete(key),
      () => bodies.delete(key),
    );
    return read;
  };

  /** One report that cannot be recorded never stops the others: it is left out, once the rest has gone through. */
  const recordApart = async (entry: Entry): Promise<void> => {
    const record = (reports: Report[], sequence: number | undefined): Promise<void> =>
      platform.db.tx((tx) => recordAll(tx, [{ ...entry, reports, sequence }]), { locks: ['reports'] });
    try {
      return await record(entry.reports, entry.sequence);
    } catch (error) {
      const results = [];
      for (const report of entry.reports)
        results.push(
          await record([report], undefined).then(
            () => null,
            (cause: unknown) => ({ report, cause }),
          ),
        );
      const failed = results.filter((result) => result !== null);
      if (failed.length === entry.reports.length) throw error; // not the reports but the database: the agent repeats them
      for (const { report, cause } of failed)
        platform.log.error(
          {
            host: entry.hostId,
            item: `${report.kind}/${report.id}`,
            error: cause instanceof Error ? cause.stack : String(cause),
          },
          'a report could not be recorded',
        );
    }
  };

  const flush = async (): Promise<void> => {
    const batch = pending;
    pending = [];
    try {
      await platform.db.tx((tx) => recordAll(tx, batch), { locks: ['reports'] });
      for (const entry of batch) entry.done();
    } catch {
      for (const entry of batch) await recordApart(entry).then(entry.done, entry.failed);
    }
  };

  return {
    async register(facts: HostFacts, hostQueries: HostQueries) {
      const host = await platform.db.tx(async (tx) => {
        const now = platform.clock.now();
        const inventory = {
          facts: JSON.stringify(facts),
          vcpus: facts.vcpus,
          memory_mib: facts.memoryMib,
          disk_gib: facts.diskGib,
          seen_at: now,
        };
        const revision = await nextCounter(tx, 'host-revision');
        const before = await tx
          .selectFrom('hosts')
          .select('id')
          .where('hostname', '=', facts.hostname)
          .executeTakeFirst();
        const id = before?.id ?? platform.ids.uuid();
        if (before !== undefined)
          await tx
            .updateTable('hosts')
            .set({ ...inventory, revision })
            .where('id', '=', id)
            .execute();
        else
          await tx
            .insertInto('hosts')
            .values({
              id,
              hostname: facts.hostname,
              ...inventory,
              used_vcpus: 0,
              used_memory_mib: 0,
              used_disk_gib: 0,
              servers: 0,
              enabled: 1,
              forced_down: 0,
              disabled_reason: '',
              zone: 'nova',
              registered_at: now,
              revision,
            })
            .execute();
        const heard = await tx
          .insertInto('host_reports')
          .values({ host_id: id, sequence: REPORTS_A_LIFE })
          .onConflict((oc) =>
            oc
              .column('host_id')
              .doUpdateSet((eb) => ({ sequence: eb('host_reports.sequence', '+', REPORTS_A_LIFE) })),
          )
          .returning('sequence')
          .executeTakeFirstOrThrow();
        for (const handler of hostHandlers) await handler(tx, id);
        return { hostId: id, sequence: heard.sequence };
      });
      queries.set(host.hostId, anticipated(hostQueries));
      return host;
    },

    async pull(hostId, sinceRevision) {
      const rows = await platform.db.read
        .selectFrom('host_items as h')
        .leftJoin('items as i', (join) => join.onRef('i.kind', '=', 'h.kind').onRef('i.id', '=', 'h.id'))
        .select([
          'h.kind',
          'h.id',
          'h.wanted',
          'h.revision as hostRevision',
          'i.revision as itemRevision',
          'i.generation',
        ])
        .where('h.host_id', '=', hostId)
        .where((eb) => eb.or([eb('h.revision', '>', sinceRevision), eb('i.revision', '>', sinceRevision)]))
        .execute();
      let revision = sinceRevision;
      const wanted: { kind: string; id: string; generation: number }[] = [];
      const items: Item[] = [];
      for (const row of rows) {
        revision = Math.max(revision, row.hostRevision, row.itemRevision ?? 0);
        if (row.wanted !== 1)
          items.push({ kind: row.kind, id: row.id, generation: row.generation ?? 0, body: null } as Item);
        // Wanted but not compiled yet: it comes with the revision of its body.
        else if (row.generation !== null)
          wanted.push({ kind: row.kind, id: row.id, generation: row.generation });
      }
      for (const item of await Promise.all(wanted.map(bodyOf))) if (item !== null) items.push(item);
      return { revision, items, full: sinceRevision === 0 };
    },

    report(hostId, reports, sequence) {
      if (reports.length === 0) return Promise.resolve();
      return new Promise<void>((done, failed) => {
        pending.push({ hostId, reports, sequence, done, failed });
        if (pending.length === 1) setImmediate(() => void flush());
      });
    },

    async heartbeat(hostId) {
      await platform.db.tx((tx) =>
        tx.updateTable('hosts').set({ seen_at: platform.clock.now() }).where('id', '=', hostId).execute(),
      );
    },

    guestPassword: (hostId, serverId, sealed) => parts.guestPassword(hostId, serverId, sealed),

    image: (imageId) => parts.openImage(imageId),

    onWake(hostId, wake) {
      const set = wakes.get(hostId) ?? new Set();
      wakes.set(hostId, set);
      set.add(wake);
      return () => void set.delete(wake);
    },
  };
}
