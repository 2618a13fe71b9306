// QoS specifications over HTTP: api-ref "Quality of service (QoS) specifications". For operators.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { idOf, integer, strict, text } from '../../../kernel/schema.ts';
import { checkLimits } from '../attachments/limits.ts';
import { linksOf } from '../routing.ts';
import { isSet, pageQuery } from '../volumes/schema.ts';
import { mapOf } from '../volumes/store.ts';
import { findQos, findType } from './store.ts';
import type { QosRow } from './table.ts';

const ids = { qos_id: 'qos-spec' } as const;
const policy = 'volume:qos';
const values = Type.Record(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9_.:-]+$' }),
  Type.Union([text(255), integer(0, Number.MAX_SAFE_INTEGER)]),
  { additionalProperties: false },
);
const CONSUMERS = ['front-end', 'back-end', 'both'];

const view = (row: QosRow) => ({
  id: row.id,
  name: row.name,
  consumer: row.consumer,
  specs: mapOf(row.specs),
});
const strings = (given: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(given).map(([key, value]) => [key, String(value)]));

export const qosRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/qos-specs',
    policy,
    summary: 'List QoS specifications',
    query: Type.Object({ ...pageQuery, marker: Type.Optional(idOf('qos-spec')) }),
    handler: async ({ ctx }) => ({
      body: {
        qos_specs: (
          await ctx.platform.db.read
            .selectFrom('volume_qos')
            .selectAll()
            .orderBy('created_at', 'desc')
            .orderBy('id')
            .execute()
        ).map(view),
      },
    }),
  }),
  route({
    method: 'POST',
    path: '/qos-specs',
    policy,
    summary: 'Create a QoS specification',
    body: strict({ qos_specs: values }),
    async handler({ ctx, body }) {
      const { name = '', consumer = 'back-end', ...specs } = strings(body.qos_specs);
      if (name.trim() === '')
        throw badRequest('Invalid input for field/attribute name. Value: "". It must not be blank.');
      if (!CONSUMERS.includes(consumer))
        throw badRequest(
          `Invalid input for field/attribute consumer. Value: ${consumer}. It must be one of ${CONSUMERS.join(', ')}.`,
        );
      checkLimits(consumer, specs);
      const row: QosRow = {
        id: ctx.platform.ids.uuid(),
        name: name.trim(),
        consumer,
        specs: JSON.stringify(specs),
        created_at: ctx.platform.clock.now(),
      };
      await ctx.platform.db.tx(async (tx) => {
        if (
          (await tx.selectFrom('volume_qos').select('id').where('name', '=', row.name).executeTakeFirst()) !==
          undefined
        )
          throw conflict(`QoS Specs ${row.name} already exists.`);
        await tx.insertInto('volume_qos').values(row).execute();
        await audit(tx, ctx, 'qos-spec', row.id);
      });
      return { body: { qos_specs: view(row), links: linksOf(ctx, 'qos-specs', row.id) } };
    },
  }),
  route({
    method: 'GET',
    path: '/qos-specs/:qos_id',
    ids,
    policy,
    summary: 'Show a QoS specification',
    async handler({ ctx, params }) {
      const row = await findQos(ctx.platform.db.read, params.qos_id);
      return { body: { qos_specs: view(row), links: linksOf(ctx, 'qos-specs', row.id) } };
    },
  }),
  route({
    method: 'PUT',
    path: '/qos-specs/:qos_id',
    ids,
    policy,
    summary: 'Set keys of a QoS specification',
    body: strict({ qos_specs: values }),
    async handler({ ctx, params, body }) {
      const { consumer, ...specs } = strings(body.qos_specs);
      if (consumer !== undefined && !CONSUMERS.includes(consumer))
        throw badRequest(
          `Invalid input for field/attribute consumer. Value: ${consumer}. It must be one of ${CONSUMERS.join(', ')}.`,
        );
      await ctx.platform.db.tx(async (tx) => {
        const row = await findQos(tx, params.qos_id);
        checkLimits(consumer ?? row.consumer, { ...mapOf(row.specs), ...specs });
        await tx
          .updateTable('volume_qos')
          .set({
            specs: JSON.stringify({ ...mapOf(row.specs), ...specs }),
            ...(consumer === undefined ? {} : { consumer }),
          })
          .where('id', '=', row.id)
          .execute();
        await audit(tx, ctx, 'qos-spec', row.id);
      });
      return { body: { qos_specs: strings(body.qos_specs) } };
    },
  }),
  route({
    method: 'PUT',
    path: '/qos-specs/:qos_id/delete_keys',
    ids,
    policy,
    summary: 'Delete keys of a QoS specification',
    status: 202,
    body: strict({ keys: Type.Array(text(255, 1), { maxItems: 100 }) }),
    async handler({ ctx, params, body }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findQos(tx, params.qos_id);
        const before = mapOf(row.specs);
        const missing = body.keys.find((key) => !Object.hasOwn(before, key));
        if (missing !== undefined) throw badRequest(`QoS Specs ${row.id} has no spec with key ${missing}.`);
        await tx
          .updateTable('volume_qos')
          .set({
            specs: JSON.stringify(
              Object.fromEntries(Object.entries(before).filter(([key]) => !body.keys.includes(key))),
            ),
          })
          .where('id', '=', row.id)
          .execute();
        await audit(tx, ctx, 'qos-spec', row.id);
      });
      return {};
    },
  }),
  route({
    method: 'DELETE',
    path: '/qos-specs/:qos_id',
    ids,
    policy,
    summary: 'Delete a QoS specification',
    status: 202,
    query: Type.Object({ force: Type.Optional(text(10)) }),
    async handler({ ctx, params, query }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findQos(tx, params.qos_id);
        const used = await tx
          .selectFrom('volume_types')
          .select('id')
          .where('qos_id', '=', row.id)
          .limit(1)
          .executeTakeFirst();
        if (used !== undefined && !isSet(query.force))
          throw badRequest(
            `QoS Specs ${row.id} is still associated with volume type ${used.id}; disassociate it, or use force.`,
          );
        await tx.updateTable('volume_types').set({ qos_id: null }).where('qos_id', '=', row.id).execute();
        await tx.deleteFrom('volume_qos').where('id', '=', row.id).execute();
        await audit(tx, ctx, 'qos-spec', row.id);
      });
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/qos-specs/:qos_id/associations',
    ids,
    policy,
    summary: 'List the volume types of a QoS specification',
    async handler({ ctx, params }) {
      const row = await findQos(ctx.platform.db.read, params.qos_id);
      const types = await ctx.platform.db.read
        .selectFrom('volume_types')
        .select(['id', 'name'])
        .where('qos_id', '=', row.id)
        .orderBy('name')
        .execute();
      return {
        body: {
          qos_associations: types.map((type) => ({
            association_type: 'volume_type',
            name: type.name,
            id: type.id,
          })),
        },
      };
    },
  }),
  ...(['associate', 'disassociate'] as const).map((verb) =>
    route({
      method: 'GET',
      path: `/qos-specs/:qos_id/${verb}`,
      ids,
      policy,
      summary:
        verb === 'associate'
          ? 'Give a volume type a QoS specification'
          : 'Take a QoS specification from a volume type',
      status: 202,
      query: Type.Object({ vol_type_id: idOf('volume-type') }),
      async handler({ ctx, params, query }) {
        await ctx.platform.db.tx(async (tx) => {
          const row = await findQos(tx, params.qos_id);
          const type = await findType(tx, ctx, query.vol_type_id);
          if (verb === 'associate' && type.qos_id !== null && type.qos_id !== row.id)
            throw badRequest(`Type ${type.id} is already associated with another qos specs: ${type.qos_id}.`);
          await tx
            .updateTable('volume_types')
            .set({ qos_id: verb === 'associate' ? row.id : null })
            .where('id', '=', type.id)
            .execute();
          await audit(tx, ctx, 'qos-spec', row.id);
        });
        return {};
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/qos-specs/:qos_id/disassociate_all',
    ids,
    policy,
    summary: 'Take a QoS specification from all volume types',
    status: 202,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findQos(tx, params.qos_id);
        await tx.updateTable('volume_types').set({ qos_id: null }).where('qos_id', '=', row.id).execute();
        await audit(tx, ctx, 'qos-spec', row.id);
      });
      return {};
    },
  }),
];
