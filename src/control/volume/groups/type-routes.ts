// Group types and their specs over HTTP: api-ref "Group types", "Group type specs", from 3.11 on.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { pageOf, sorted } from '../pages.ts';
import { flag, isSet, pageQuery } from '../volumes/schema.ts';
import { mapOf } from '../volumes/store.ts';
import { findGroupType, groupTypes } from './store.ts';
import type { GroupTypeRow } from './table.ts';

// No project owns a group type: they are everybody's, or the operators' own.
const ids = { group_type: 'none' } as const;
const since = '3.11';
const list = 'volume:group-types:list';
const manage = 'volume:group-types:manage';
const specs = Type.Record(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9_.:-]+$' }),
  text(255),
  { additionalProperties: false },
);

const view = (ctx: Ctx, row: GroupTypeRow) => ({
  id: row.id,
  name: row.name,
  description: row.description,
  is_public: row.is_public === 1,
  ...(isAdmin(ctx.actor) ? { group_specs: mapOf(row.specs) } : {}),
});

const change = <T>(ctx: Ctx, id: string, work: (tx: Tx, row: GroupTypeRow) => Promise<T>): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findGroupType(tx, ctx, id);
    const result = await work(tx, row);
    await audit(tx, ctx, 'group-type', row.id);
    return result;
  });
const save = (tx: Tx, id: string, changes: Partial<GroupTypeRow>): Promise<unknown> =>
  tx.updateTable('volume_group_types').set(changes).where('id', '=', id).execute();

async function requireNewName(tx: Tx, name: string, own: string | null): Promise<void> {
  const other = await tx
    .selectFrom('volume_group_types')
    .select('id')
    .where('name', '=', name)
    .executeTakeFirst();
  if (other !== undefined && other.id !== own) throw conflict(`Group Type ${name} already exists.`);
}

const types: Route[] = [
  route({
    method: 'GET',
    path: '/group_types',
    policy: list,
    summary: 'List group types',
    since,
    query: Type.Object({
      ...pageQuery,
      is_public: Type.Optional(text(10)),
      marker: Type.Optional(text(255)),
    }),
    async handler({ ctx, query, rawQuery }) {
      const rows = (await groupTypes(ctx.platform.db.read, ctx)).filter(
        (row) =>
          query.is_public === undefined ||
          /^none$/i.test(query.is_public) ||
          !isAdmin(ctx.actor) ||
          (row.is_public === 1) === isSet(query.is_public),
      );
      const ordered = sorted(rows, query, (row, key) =>
        key in row ? row[key as keyof GroupTypeRow] : row.created_at,
      );
      return {
        body: pageOf(ctx, 'group_types', 'Group type', ordered, query, rawQuery, 'group_types', (row) =>
          view(ctx, row),
        ),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/group_types',
    policy: manage,
    summary: 'Create a group type',
    since,
    status: 202,
    body: strict({
      group_type: strict({
        name: text(255, 1),
        description: Type.Optional(nullable(prose(255))),
        is_public: Type.Optional(flag()),
        group_specs: Type.Optional(nullable(specs)),
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.group_type;
      if (asked.name.trim() === '')
        throw badRequest('Invalid input for field/attribute name. Value: "". It must not be blank.');
      const row: GroupTypeRow = {
        id: ctx.platform.ids.uuid(),
        name: asked.name.trim(),
        description: asked.description ?? null,
        is_public: asked.is_public === undefined || isSet(asked.is_public) ? 1 : 0,
        specs: JSON.stringify(asked.group_specs ?? {}),
        created_at: ctx.platform.clock.now(),
      };
      await ctx.platform.db.tx(async (tx) => {
        await requireNewName(tx, row.name, null);
        await tx.insertInto('volume_group_types').values(row).execute();
        await audit(tx, ctx, 'group-type', row.id);
      });
      return { body: { group_type: view(ctx, row) } };
    },
  }),
  route({
    method: 'GET',
    path: '/group_types/:group_type',
    ids,
    policy: list,
    summary: 'Show a group type',
    since,
    handler: async ({ ctx, params }) => ({
      body: {
        group_type: view(ctx, await findGroupType(ctx.platform.db.read, ctx, params.group_type)),
      },
    }),
  }),
  route({
    method: 'PUT',
    path: '/group_types/:group_type',
    ids,
    policy: manage,
    summary: 'Change a group type',
    since,
    body: strict({
      group_type: strict({
        name: Type.Optional(nullable(text(255))),
        description: Type.Optional(nullable(prose(255))),
        is_public: Type.Optional(flag()),
      }),
    }),
    async handler({ ctx, params, body }) {
      const { name, description, is_public: isPublic } = body.group_type;
      if (typeof name === 'string' && name.trim() === '')
        throw badRequest('Group type name can not be empty.');
      if (name === undefined && description === undefined && isPublic === undefined)
        throw badRequest('Specify group type name, description or a combination thereof.');
      const row = await change(ctx, params.group_type, async (tx, before) => {
        const changes: Partial<GroupTypeRow> = {
          ...(typeof name === 'string' ? { name: name.trim() } : {}),
          ...(description === undefined ? {} : { description }),
          ...(isPublic === undefined ? {} : { is_public: isSet(isPublic) ? 1 : 0 }),
        };
        await requireNewName(tx, changes.name ?? before.name, before.id);
        if (Object.keys(changes).length > 0) await save(tx, before.id, changes);
        return { ...before, ...changes };
      });
      return { body: { group_type: view(ctx, row) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/group_types/:group_type',
    ids,
    policy: manage,
    summary: 'Delete a group type',
    since,
    status: 202,
    async handler({ ctx, params }) {
      await change(ctx, params.group_type, async (tx, row) => {
        const used = await tx
          .selectFrom('volume_groups')
          .select('id')
          .where('group_type_id', '=', row.id)
          .limit(1)
          .executeTakeFirst();
        if (used !== undefined)
          throw badRequest(`Target group type is still in use: group ${used.id} has type ${row.id}.`);
        await tx.deleteFrom('volume_group_types').where('id', '=', row.id).execute();
      });
      return {};
    },
  }),
];

const SPECS = '/group_types/:group_type/group_specs';

export const groupTypeRoutes: Route[] = [
  ...types,
  route({
    method: 'GET',
    path: SPECS,
    ids,
    policy: manage,
    summary: 'List the specs of a group type',
    since,
    handler: async ({ ctx, params }) => ({
      body: {
        group_specs: mapOf((await findGroupType(ctx.platform.db.read, ctx, params.group_type)).specs),
      },
    }),
  }),
  route({
    method: 'POST',
    path: SPECS,
    ids,
    policy: manage,
    summary: 'Set specs of a group type',
    since,
    status: 202,
    body: strict({ group_specs: specs }),
    async handler({ ctx, params, body }) {
      await change(ctx, params.group_type, (tx, row) =>
        save(tx, row.id, { specs: JSON.stringify({ ...mapOf(row.specs), ...body.group_specs }) }),
      );
      return { body: { group_specs: body.group_specs } };
    },
  }),
  route({
    method: 'GET',
    path: `${SPECS}/:key`,
    ids: { ...ids, key: 'none' },
    policy: manage,
    summary: 'Show a spec of a group type',
    since,
    async handler({ ctx, params }) {
      const all = mapOf((await findGroupType(ctx.platform.db.read, ctx, params.group_type)).specs);
      if (!Object.hasOwn(all, params.key)) throw notFound('Group type spec', params.key);
      return { body: { [params.key]: all[params.key] } };
    },
  }),
  route({
    method: 'PUT',
    path: `${SPECS}/:key`,
    ids: { ...ids, key: 'none' },
    policy: manage,
    summary: 'Set a spec of a group type',
    since,
    body: specs,
    async handler({ ctx, params, body }) {
      if (Object.keys(body).length !== 1 || !Object.hasOwn(body, params.key))
        throw badRequest(
          `Request body and URI mismatch: the body must have exactly the key '${params.key.slice(0, 100)}' of the address.`,
        );
      await change(ctx, params.group_type, (tx, row) =>
        save(tx, row.id, { specs: JSON.stringify({ ...mapOf(row.specs), ...body }) }),
      );
      return { body };
    },
  }),
  route({
    method: 'DELETE',
    path: `${SPECS}/:key`,
    ids: { ...ids, key: 'none' },
    policy: manage,
    summary: 'Delete a spec of a group type',
    since,
    status: 202,
    async handler({ ctx, params }) {
      await change(ctx, params.group_type, async (tx, row) => {
        const { [params.key]: gone, ...rest } = mapOf(row.specs);
        if (gone === undefined) throw notFound('Group type spec', params.key);
        await save(tx, row.id, { specs: JSON.stringify(rest) });
      });
      return {};
    },
  }),
];
