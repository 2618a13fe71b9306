// Volume types over HTTP: api-ref "Volume types", with their extra specs and who may use the private ones.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { flag, isSet, pageQuery } from '../volumes/schema.ts';
import { mapOf } from '../volumes/store.ts';
import { DEFAULT_TYPE, findType, visibleTypes } from './store.ts';
import type { TypeRow } from './table.ts';

const ids = { type_id: 'volume-type' } as const;
const specs = Type.Record(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9_.:-]+$' }),
  text(255),
  { additionalProperties: false },
);
/** What users may know of how a type is made. */
const USER_VISIBLE = new Set(['multiattach', 'RESKEY:availability_zones', 'replication_enabled']);

export const typeView = (ctx: Ctx, row: TypeRow) => {
  const all = mapOf(row.extra_specs);
  const admin = isAdmin(ctx.actor);
  return {
    id: row.id,
    name: row.name,
    is_public: row.is_public === 1,
    description: row.description,
    'os-volume-type-access:is_public': row.is_public === 1,
    extra_specs: admin
      ? all
      : Object.fromEntries(Object.entries(all).filter(([key]) => USER_VISIBLE.has(key))),
    ...(admin ? { qos_specs_id: row.qos_id } : {}),
  };
};

const change = <T>(ctx: Ctx, id: string, work: (tx: Tx, row: TypeRow) => Promise<T>): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    const row = await findType(tx, ctx, id);
    const result = await work(tx, row);
    await audit(tx, ctx, 'volume-type', row.id);
    return result;
  });

const save = (tx: Tx, id: string, changes: Partial<TypeRow>): Promise<unknown> =>
  tx.updateTable('volume_types').set(changes).where('id', '=', id).execute();

async function requireNewName(tx: Tx, name: string, own: string | null): Promise<void> {
  const other = await tx.selectFrom('volume_types').select('id').where('name', '=', name).executeTakeFirst();
  if (other !== undefined && other.id !== own) throw conflict(`Volume Type ${name} already exists.`);
}

const typeBody = {
  name: Type.Optional(nullable(text(255))),
  description: Type.Optional(nullable(prose(255))),
  is_public: Type.Optional(flag()),
};

const types: Route[] = [
  route({
    method: 'GET',
    path: '/types',
    policy: 'volume:types:list',
    summary: 'List volume types',
    query: Type.Object({
      ...pageQuery,
      is_public: Type.Optional(text(10)),
      marker: Type.Optional(idOf('volume-type')),
      extra_specs: Type.Optional(text(1024)),
    }),
    async handler({ ctx, query }) {
      const visible = await visibleTypes(ctx.platform.db.read, ctx);
      // Users ask for public ones; operators for all with is_public=None.
      const shown = visible.filter(
        (row) =>
          query.is_public === undefined ||
          /^none$/i.test(query.is_public) ||
          !isAdmin(ctx.actor) ||
          (row.is_public === 1) === isSet(query.is_public),
      );
      const start = query.marker === undefined ? 0 : shown.findIndex((row) => row.id === query.marker) + 1;
      if (query.marker !== undefined && start === 0)
        throw badRequest(`Invalid input received: marker ${query.marker} could not be found.`);
      const first = start + (query.offset ?? 0);
      return {
        body: {
          volume_types: shown.slice(first, first + (query.limit ?? 1000)).map((row) => typeView(ctx, row)),
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/types',
    policy: 'volume:types:manage',
    summary: 'Create a volume type',
    body: strict({
      volume_type: strict({
        name: text(255, 1),
        description: typeBody.description,
        extra_specs: Type.Optional(nullable(specs)),
        'os-volume-type-access:is_public': Type.Optional(flag()),
      }),
    }),
    async handler({ ctx, body }) {
      const asked = body.volume_type;
      const name = asked.name.trim();
      if (name === '')
        throw badRequest('Invalid input for field/attribute name. Value: "". It must not be blank.');
      const row: TypeRow = {
        id: ctx.platform.ids.uuid(),
        name,
        description: asked.description ?? null,
        is_public:
          asked['os-volume-type-access:is_public'] === undefined ||
          isSet(asked['os-volume-type-access:is_public'])
            ? 1
            : 0,
        extra_specs: JSON.stringify(asked.extra_specs ?? {}),
        qos_id: null,
        created_at: ctx.platform.clock.now(),
      };
      await ctx.platform.db.tx(async (tx) => {
        await requireNewName(tx, row.name, null);
        await tx.insertInto('volume_types').values(row).execute();
        await audit(tx, ctx, 'volume-type', row.id);
      });
      const { qos_specs_id: _none, ...view } = typeView(ctx, row);
      return { body: { volume_type: view } };
    },
  }),
  route({
    method: 'GET',
    path: '/types/default',
    policy: 'volume:types:list',
    summary: 'Show the default volume type',
    handler: async ({ ctx }) => ({
      body: { volume_type: typeView(ctx, await findType(ctx.platform.db.read, ctx, null)) },
    }),
  }),
  route({
    method: 'GET',
    path: '/types/:type_id',
    ids,
    policy: 'volume:types:list',
    summary: 'Show a volume type',
    handler: async ({ ctx, params }) => ({
      body: { volume_type: typeView(ctx, await findType(ctx.platform.db.read, ctx, params.type_id)) },
    }),
  }),
  route({
    method: 'PUT',
    path: '/types/:type_id',
    ids,
    policy: 'volume:types:manage',
    summary: 'Change a volume type',
    body: strict({ volume_type: strict(typeBody) }),
    async handler({ ctx, params, body }) {
      const { name, description, is_public: isPublic } = body.volume_type;
      if (name === undefined && description === undefined && isPublic === undefined)
        throw badRequest('Specify volume type name, description, is_public or a combination thereof.');
      if (typeof name === 'string' && name.trim() === '')
        throw badRequest('Volume type name can not be empty.');
      const row = await change(ctx, params.type_id, async (tx, before) => {
        const changes: Partial<TypeRow> = {
          ...(typeof name === 'string' ? { name: name.trim() } : {}),
          ...(description === undefined ? {} : { description }),
          ...(isPublic === undefined ? {} : { is_public: isSet(isPublic) ? 1 : 0 }),
        };
        if (
          before.name === DEFAULT_TYPE &&
          ((changes.name ?? before.name) !== before.name || changes.is_public === 0)
        )
          throw badRequest('The default volume type stays public and keeps its name.');
        await requireNewName(tx, changes.name ?? before.name, before.id);
        if (Object.keys(changes).length > 0) await save(tx, before.id, changes);
        return { ...before, ...changes };
      });
      const { qos_specs_id: _none, 'os-volume-type-access:is_public': _access, ...view } = typeView(ctx, row);
      return { body: { volume_type: view } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/types/:type_id',
    ids,
    policy: 'volume:types:manage',
    summary: 'Delete a volume type',
    status: 202,
    async handler({ ctx, params }) {
      await change(ctx, params.type_id, async (tx, row) => {
        if (row.name === DEFAULT_TYPE) throw badRequest('The default volume type cannot be deleted.');
        const used = await tx
          .selectFrom('volumes')
          .select('id')
          .where('type_id', '=', row.id)
          .limit(1)
          .executeTakeFirst();
        if (used !== undefined)
          throw badRequest(`Target volume type is still in use: volume ${used.id} has type ${row.id}.`);
        await tx.deleteFrom('volume_type_access').where('type_id', '=', row.id).execute();
        await tx.deleteFrom('volume_types').where('id', '=', row.id).execute();
      });
      return {};
    },
  }),
];

const extraSpecs: Route[] = [
  route({
    method: 'GET',
    path: '/types/:type_id/extra_specs',
    ids,
    policy: 'volume:types:list',
    summary: 'List the extra specs of a volume type',
    handler: async ({ ctx, params }) => ({
      body: {
        extra_specs: typeView(ctx, await findType(ctx.platform.db.read, ctx, params.type_id)).extra_specs,
      },
    }),
  }),
  route({
    method: 'POST',
    path: '/types/:type_id/extra_specs',
    ids,
    policy: 'volume:types:manage',
    summary: 'Set extra specs of a volume type',
    body: strict({ extra_specs: specs }),
    async handler({ ctx, params, body }) {
      await change(ctx, params.type_id, (tx, row) =>
        save(tx, row.id, { extra_specs: JSON.stringify({ ...mapOf(row.extra_specs), ...body.extra_specs }) }),
      );
      return { body: { extra_specs: body.extra_specs } };
    },
  }),
  route({
    method: 'GET',
    path: '/types/:type_id/extra_specs/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:types:list',
    summary: 'Show an extra spec',
    async handler({ ctx, params }) {
      const all = typeView(ctx, await findType(ctx.platform.db.read, ctx, params.type_id)).extra_specs;
      if (!Object.hasOwn(all, params.key)) throw notFound('Volume Type extra spec', params.key);
      return { body: { [params.key]: all[params.key] } };
    },
  }),
  route({
    method: 'PUT',
    path: '/types/:type_id/extra_specs/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:types:manage',
    summary: 'Set an extra spec',
    body: specs,
    async handler({ ctx, params, body }) {
      if (Object.keys(body).length !== 1 || !Object.hasOwn(body, params.key))
        throw badRequest(
          `Request body and URI mismatch: the body must have exactly the key '${params.key.slice(0, 100)}' of the address.`,
        );
      await change(ctx, params.type_id, (tx, row) =>
        save(tx, row.id, { extra_specs: JSON.stringify({ ...mapOf(row.extra_specs), ...body }) }),
      );
      return { body };
    },
  }),
  route({
    method: 'DELETE',
    path: '/types/:type_id/extra_specs/:key',
    ids: { ...ids, key: 'none' },
    policy: 'volume:types:manage',
    summary: 'Delete an extra spec',
    status: 202,
    async handler({ ctx, params }) {
      await change(ctx, params.type_id, async (tx, row) => {
        const { [params.key]: gone, ...rest } = mapOf(row.extra_specs);
        if (gone === undefined) throw notFound('Volume Type extra spec', params.key);
        await save(tx, row.id, { extra_specs: JSON.stringify(rest) });
      });
      return {};
    },
  }),
];

const access = (add: boolean): Route =>
  route({
    method: 'POST',
    path: '/types/:type_id/action',
    ids,
    action: add ? 'addProjectAccess' : 'removeProjectAccess',
    policy: 'volume:types:manage',
    summary: add
      ? 'Let a project use a private volume type'
      : 'End the use of a private volume type by a project',
    status: 202,
    body: strict({ project: idOf('project') }),
    async handler({ ctx, params, body }) {
      await change(ctx, params.type_id, async (tx, row) => {
        if (row.is_public === 1)
          throw conflict('Type access modification is not applicable to public volume type.');
        const key = { type_id: row.id, project_id: body.project };
        const there = await tx
          .selectFrom('volume_type_access')
          .select('type_id')
          .where('type_id', '=', row.id)
          .where('project_id', '=', body.project)
          .executeTakeFirst();
        if (add && there !== undefined)
          throw conflict(`Volume type access for ${row.id} / ${body.project} combination already exists.`);
        if (!add && there === undefined) throw notFound('Volume type access', `${row.id} / ${body.project}`);
        if (add) await tx.insertInto('volume_type_access').values(key).execute();
        else
          await tx
            .deleteFrom('volume_type_access')
            .where('type_id', '=', row.id)
            .where('project_id', '=', body.project)
            .execute();
      });
      return {};
    },
  });

export const typeRoutes: Route[] = [
  ...types,
  ...extraSpecs,
  access(true),
  access(false),
  route({
    method: 'GET',
    path: '/types/:type_id/os-volume-type-access',
    ids,
    policy: 'volume:types:manage',
    summary: 'List the projects that may use a private volume type',
    async handler({ ctx, params }) {
      const row = await findType(ctx.platform.db.read, ctx, params.type_id);
      if (row.is_public === 1) throw notFound('Access list of public volume type', row.id);
      const found = await ctx.platform.db.read
        .selectFrom('volume_type_access')
        .selectAll()
        .where('type_id', '=', row.id)
        .orderBy('project_id')
        .execute();
      return {
        body: {
          volume_type_access: found.map((one) => ({
            volume_type_id: one.type_id,
            project_id: one.project_id,
          })),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/types/:type_id/encryption',
    ids,
    policy: 'volume:types:manage',
    summary: 'Show the encryption of a volume type: none',
    async handler({ ctx, params }) {
      await findType(ctx.platform.db.read, ctx, params.type_id);
      return { body: {} };
    },
  }),
];
