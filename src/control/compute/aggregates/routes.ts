// Host aggregates over HTTP: api-ref "Host aggregates". An aggregate's availability_zone is the zone of its hosts.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { type Migration, nextCounter, type Reader, type Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { nullable, strict, text } from '../../../kernel/schema.ts';
import { type HostRecord, listHosts, setHostZone } from '../../host/index.ts';

type AggregateRow = {
  id: number;
  uuid: string;
  name: string;
  metadata: string;
  created_at: number;
  updated_at: number | null;
};
declare module '../../../kernel/db/index.ts' {
  interface Tables {
    aggregates: AggregateRow;
    aggregate_hosts: { aggregate_id: number; host_id: string };
  }
}

/** The zone of hosts that no aggregate puts into another. */
const DEFAULT_ZONE = 'nova';

export const aggregateMigrations: Migration[] = [
  {
    id: 'compute-0005-aggregates',
    async up(db) {
      await db.schema
        .createTable('aggregates')
        .addColumn('id', 'bigint', (c) => c.primaryKey())
        .addColumn('uuid', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull().unique())
        .addColumn('metadata', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('updated_at', 'bigint')
        .execute();
      await db.schema
        .createTable('aggregate_hosts')
        .addColumn('aggregate_id', 'bigint', (c) => c.notNull())
        .addColumn('host_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('aggregate_hosts_pk', ['aggregate_id', 'host_id'])
        .execute();
    },
  },
];

type Db = Pick<Reader, 'selectFrom'>;
const metadataOf = (row: AggregateRow): Record<string, string> =>
  JSON.parse(row.metadata) as Record<string, string>;
const stamp = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString().replace(/Z$/, '000');

function view(ctx: Ctx, row: AggregateRow, hosts: readonly string[]): object {
  const metadata = metadataOf(row);
  return {
    id: row.id,
    name: row.name,
    availability_zone: metadata['availability_zone'] ?? null,
    hosts,
    metadata,
    created_at: stamp(row.created_at),
    updated_at: stamp(row.updated_at),
    deleted: false,
    deleted_at: null,
    ...(ctx.microversion >= 41 ? { uuid: row.uuid } : {}),
  };
}

/** Host names by aggregate. */
async function hostsOf(db: Db): Promise<Map<number, HostRecord[]>> {
  const known = new Map((await listHosts(db)).map((host) => [host.id, host]));
  const members = await db.selectFrom('aggregate_hosts').selectAll().execute();
  const out = new Map<number, HostRecord[]>();
  for (const [id, rows] of Map.groupBy(members, (row) => row.aggregate_id))
    out.set(
      id,
      rows.flatMap((row) => known.get(row.host_id) ?? []),
    );
  return out;
}

async function find(db: Db, id: string): Promise<AggregateRow> {
  const row = /^\d{1,12}$/.test(id)
    ? await db.selectFrom('aggregates').selectAll().where('id', '=', Number(id)).executeTakeFirst()
    : undefined;
  if (row === undefined) throw notFound('Aggregate', id);
  return row;
}

/** As Nova: a host with servers does not change its zone under them. */
async function moveHosts(tx: Tx, hosts: readonly HostRecord[], zone: string): Promise<void> {
  const moving = hosts.filter((host) => host.zone !== zone);
  for (const host of moving) {
    const server = await tx
      .selectFrom('servers')
      .select('id')
      .where('host_id', '=', host.id)
      .limit(1)
      .executeTakeFirst();
    if (server !== undefined)
      throw conflict(
        `Host ${host.hostname} has servers in zone ${host.zone} (e.g. ${server.id}) and cannot move to zone ${zone}. Delete or move them first.`,
      );
  }
  await setHostZone(
    tx,
    moving.map((host) => host.id),
    zone,
  );
}

async function change(
  ctx: Ctx,
  id: string,
  apply: (tx: Tx, row: AggregateRow, hosts: HostRecord[]) => Promise<Partial<AggregateRow>>,
): Promise<object> {
  await ctx.platform.db.tx(
    async (tx) => {
      const row = await find(tx, id);
      const changes = await apply(tx, row, (await hostsOf(tx)).get(row.id) ?? []);
      await tx
        .updateTable('aggregates')
        .set({ ...changes, updated_at: ctx.platform.clock.now() })
        .where('id', '=', row.id)
        .execute();
      await audit(tx, ctx, 'aggregate', String(row.id));
    },
    { locks: ['aggregates'] },
  );
  return shown(ctx, id);
}
async function shown(ctx: Ctx, id: string): Promise<object> {
  const row = await find(ctx.platform.db.read, id);
  const hosts = (await hostsOf(ctx.platform.db.read)).get(row.id) ?? [];
  return {
    aggregate: view(
      ctx,
      row,
      hosts.map((host) => host.hostname),
    ),
  };
}

async function refuseTaken(tx: Tx, name: string, but: number | null): Promise<void> {
  const same = await tx.selectFrom('aggregates').select('id').where('name', '=', name).executeTakeFirst();
  if (same !== undefined && same.id !== but) throw conflict(`Aggregate ${name} already exists.`);
}

const zoneName = () =>
  nullable(Type.String({ minLength: 1, maxLength: 255, pattern: '^[^:\\x00-\\x1f\\x7f]*$' }));
const ids = { aggregate_id: 'aggregate' } as const;
const policy = 'compute:aggregates';
const PATH = '/v2.1/os-aggregates/:aggregate_id';
const byHost = strict({ host: text(255, 1) });

export const aggregateRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/os-aggregates',
    policy,
    summary: 'List aggregates',
    async handler({ ctx }) {
      const rows = await ctx.platform.db.read.selectFrom('aggregates').selectAll().orderBy('id').execute();
      const hosts = await hostsOf(ctx.platform.db.read);
      return {
        body: {
          aggregates: rows.map((row) =>
            view(
              ctx,
              row,
              (hosts.get(row.id) ?? []).map((host) => host.hostname),
            ),
          ),
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v2.1/os-aggregates',
    policy,
    summary: 'Create an aggregate',
    body: strict({ aggregate: strict({ name: text(255, 1), availability_zone: Type.Optional(zoneName()) }) }),
    async handler({ ctx, body: { aggregate } }) {
      const row = await ctx.platform.db.tx(
        async (tx) => {
          await refuseTaken(tx, aggregate.name, null);
          const zone = aggregate.availability_zone ?? null;
          const made: AggregateRow = {
            id: await nextCounter(tx, 'aggregate-id'),
            uuid: ctx.platform.ids.uuid(),
            name: aggregate.name,
            metadata: JSON.stringify(zone === null ? {} : { availability_zone: zone }),
            created_at: ctx.platform.clock.now(),
            updated_at: null,
          };
          await tx.insertInto('aggregates').values(made).execute();
          await audit(tx, ctx, 'aggregate', String(made.id));
          return made;
        },
        { locks: ['aggregates'] },
      );
      const {
        hosts: _hosts,
        metadata: _metadata,
        ...created
      } = view(ctx, row, []) as Record<string, unknown>;
      return { body: { aggregate: created } };
    },
  }),
  route({
    method: 'GET',
    path: PATH,
    ids,
    policy,
    summary: 'Show an aggregate',
    handler: async ({ ctx, params }) => ({ body: await shown(ctx, params.aggregate_id) }),
  }),
  route({
    method: 'PUT',
    path: PATH,
    ids,
    policy,
    summary: 'Rename an aggregate or change its zone',
    body: strict({
      aggregate: strict({ name: Type.Optional(text(255, 1)), availability_zone: Type.Optional(zoneName()) }),
    }),
    handler: async ({ ctx, params, body: { aggregate: asked } }) => ({
      body: await change(ctx, params.aggregate_id, async (tx, row, hosts) => {
        if (asked.name === undefined && asked.availability_zone === undefined)
          throw badRequest(
            "Invalid input for field/attribute aggregate. It must have 'name' or 'availability_zone'.",
          );
        if (asked.name !== undefined) await refuseTaken(tx, asked.name, row.id);
        const { availability_zone: before, ...rest } = metadataOf(row);
        const zone = asked.availability_zone === undefined ? before : (asked.availability_zone ?? undefined);
        if (zone !== before) await moveHosts(tx, hosts, zone ?? DEFAULT_ZONE);
        return {
          name: asked.name ?? row.name,
          metadata: JSON.stringify(zone === undefined ? rest : { ...rest, availability_zone: zone }),
        };
      }),
    }),
  }),
  route({
    method: 'DELETE',
    path: PATH,
    ids,
    policy,
    summary: 'Delete an aggregate',
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await find(tx, params.aggregate_id);
        const member = await tx
          .selectFrom('aggregate_hosts')
          .select('host_id')
          .where('aggregate_id', '=', row.id)
          .limit(1)
          .executeTakeFirst();
        if (member !== undefined)
          throw badRequest(`Cannot delete aggregate ${row.id}: it still has hosts. Remove them first.`);
        await tx.deleteFrom('aggregates').where('id', '=', row.id).execute();
        await audit(tx, ctx, 'aggregate', String(row.id));
      });
      return {};
    },
  }),
  route({
    method: 'POST',
    path: `${PATH}/action`,
    ids,
    action: 'add_host',
    policy,
    summary: 'Add a host to an aggregate',
    body: byHost,
    handler: async ({ ctx, params, body }) => ({
      body: await change(ctx, params.aggregate_id, async (tx, row, hosts) => {
        const host = (await listHosts(tx)).find((one) => one.hostname === body.host);
        if (host === undefined) throw notFound('Compute host', body.host);
        if (hosts.some((one) => one.id === host.id))
          throw conflict(`Aggregate ${row.id} already has host ${body.host}.`);
        const zone = metadataOf(row)['availability_zone'];
        if (zone !== undefined && host.zone !== DEFAULT_ZONE && host.zone !== zone)
          throw conflict(
            `Cannot add host to aggregate ${row.id}. Host ${body.host} is in zone ${host.zone}; a host is in one zone only.`,
          );
        if (zone !== undefined) await moveHosts(tx, [host], zone);
        await tx.insertInto('aggregate_hosts').values({ aggregate_id: row.id, host_id: host.id }).execute();
        return {};
      }),
    }),
  }),
  route({
    method: 'POST',
    path: `${PATH}/action`,
    ids,
    action: 'remove_host',
    policy,
    summary: 'Remove a host from an aggregate',
    body: byHost,
    handler: async ({ ctx, params, body }) => ({
      body: await change(ctx, params.aggregate_id, async (tx, row, hosts) => {
        const host = hosts.find((one) => one.hostname === body.host);
        if (host === undefined) throw notFound('Aggregate host', `${body.host} in aggregate ${row.id}`);
        if (metadataOf(row)['availability_zone'] !== undefined) await moveHosts(tx, [host], DEFAULT_ZONE);
        await tx
          .deleteFrom('aggregate_hosts')
          .where('aggregate_id', '=', row.id)
          .where('host_id', '=', host.id)
          .execute();
        return {};
      }),
    }),
  }),
  route({
    method: 'POST',
    path: `${PATH}/action`,
    ids,
    action: 'set_metadata',
    policy,
    summary: 'Set or delete metadata of an aggregate',
    body: strict({
      metadata: Type.Record(
        Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }),
        nullable(text(255)),
        { additionalProperties: false },
      ),
    }),
    handler: async ({ ctx, params, body }) => ({
      body: await change(ctx, params.aggregate_id, async (tx, row, hosts) => {
        const before = metadataOf(row);
        const after = Object.fromEntries(
          Object.entries({ ...before, ...body.metadata }).filter(
            (entry): entry is [string, string] => entry[1] !== null,
          ),
        );
        if (after['availability_zone'] !== before['availability_zone'])
          await moveHosts(tx, hosts, after['availability_zone'] ?? DEFAULT_ZONE);
        return { metadata: JSON.stringify(after) };
      }),
    }),
  }),
];
