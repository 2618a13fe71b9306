// Key pairs over HTTP: api-ref "Keypairs". Generating one is refused from 2.92 on, as the reference has it.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { nextCounter } from '../../../kernel/db/index.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { applyPage, cutPage, nextLink } from '../../../kernel/paging.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { idOf, prose, since, strict, text } from '../../../kernel/schema.ts';
import { COMPUTE_PREFIX, pageQuery, pageSize } from '../links.ts';
import { newCertificate, parseCertificate, typeOfKey } from './certificate.ts';
import { newKeyPair, parsePublicKey } from './key.ts';
import type { Db, KeypairRow } from './table.ts';

/** The user whose keys are meant: operators may name another from 2.10 on; for everybody else there is none. */
function ownerOf(ctx: Ctx, asked: string | undefined): string {
  if (asked === undefined || ctx.microversion < 10 || asked === ctx.actor.userId) return ctx.actor.userId;
  if (!isAdmin(ctx.actor)) throw notFound('User', asked);
  return asked;
}

export async function findKeypair(db: Db, userId: string, name: string): Promise<KeypairRow> {
  const row = await db
    .selectFrom('keypairs')
    .selectAll()
    .where('user_id', '=', userId)
    .where('name', '=', name)
    .executeTakeFirst();
  if (row === undefined) throw notFound('Keypair', name);
  return row;
}

const briefView = (row: KeypairRow, minor: number) => ({
  name: row.name,
  public_key: row.public_key,
  fingerprint: row.fingerprint,
  ...(minor >= 2 ? { type: typeOfKey(row.public_key) } : {}),
});
/** Nova writes these times with microseconds and without a zone. */
const createdAt = (row: KeypairRow): string => new Date(row.created_at).toISOString().replace(/Z$/, '000');

const owner = { user_id: Type.Optional(idOf('user')) };
const ids = { keypair_name: 'keypair' } as const;

export const keypairRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/os-keypairs',
    policy: 'compute:keypairs:list',
    summary: 'List key pairs',
    query: Type.Object({ ...pageQuery, ...owner }),
    async handler({ ctx, query, rawQuery }) {
      const userId = ownerOf(ctx, query.user_id);
      const db = ctx.platform.db.read;
      const paged = ctx.microversion >= 35;
      const limit = pageSize(paged ? query.limit : undefined);
      let marker: KeypairRow | null = null;
      if (paged && query.marker !== undefined)
        marker = await findKeypair(db, userId, query.marker).catch(() => {
          throw badRequest(`Marker ${query.marker} could not be found.`);
        });
      const all = db.selectFrom('keypairs').selectAll().where('user_id', '=', userId);
      const { rows, more } = cutPage(
        await applyPage(all, [{ column: 'name', direction: 'asc' }], marker, limit).execute(),
        limit,
      );
      const last = rows.at(-1);
      return {
        body: {
          keypairs: rows.map((row) => ({ keypair: briefView(row, ctx.microversion) })),
          ...(paged && more && last !== undefined
            ? {
                keypairs_links: [
                  {
                    rel: 'next',
                    href: nextLink(
                      `${ctx.platform.publicUrl}${COMPUTE_PREFIX}/v2.1/os-keypairs`,
                      rawQuery,
                      last.name,
                    ),
                  },
                ],
              }
            : {}),
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v2.1/os-keypairs',
    policy: 'compute:keypairs:manage',
    summary: 'Import or generate a key pair',
    body: strict({
      keypair: strict({
        name: text(255, 1),
        public_key: Type.Optional(prose(16384)),
        type: since('2.2', Type.Optional(Type.Union([Type.Literal('ssh'), Type.Literal('x509')]))),
        user_id: since('2.10', Type.Optional(idOf('user'))),
      }),
    }),
    async handler({ ctx, body: { keypair } }) {
      const minor = ctx.microversion;
      const allowed = minor >= 92 ? /^[a-zA-Z0-9 _@.-]+$/ : /^[a-zA-Z0-9 _-]+$/;
      if (!allowed.test(keypair.name))
        throw badRequest(
          `Keypair data is invalid: Keypair name contains unsafe characters. Value: ${keypair.name}. It may hold letters, digits, spaces, _ and -${minor >= 92 ? ', @ and .' : ''}.`,
        );
      const userId = ownerOf(ctx, keypair.user_id);
      if (keypair.public_key === undefined && minor >= 92)
        throw badRequest(
          "Invalid input for field/attribute keypair. 'public_key' is a required property: from 2.92 on the pair is made by the client, e.g. with ssh-keygen.",
        );
      const x509 = keypair.type === 'x509';
      const made =
        keypair.public_key === undefined
          ? await (x509 ? newCertificate(userId) : newKeyPair())
          : { ...(x509 ? parseCertificate : parsePublicKey)(keypair.public_key), privateKey: null };
      const now = ctx.platform.clock.now();
      const row = await ctx.platform.db.tx(
        async (tx) => {
          const same = await tx
            .selectFrom('keypairs')
            .select('name')
            .where('user_id', '=', userId)
            .where('name', '=', keypair.name)
            .executeTakeFirst();
          if (same !== undefined) throw conflict(`Key pair '${keypair.name}' already exists.`);
          const limit = (await ctx.platform.quotas.limits(tx, projectOf(ctx.actor)))['key_pairs'] ?? -1;
          const { used } = await tx
            .selectFrom('keypairs')
            .select((eb) => eb.fn.countAll<number>().as('used'))
            .where('user_id', '=', userId)
            .executeTakeFirstOrThrow();
          if (limit >= 0 && Number(used) >= limit)
            throw forbidden(
              `Quota exceeded, too many key pairs: ${used} of ${limit} are in use. Delete one, or ask an operator for a larger quota.`,
              'OverQuota',
            );
          const stored: KeypairRow = {
            user_id: userId,
            name: keypair.name,
            number: await nextCounter(tx, 'keypair-number'),
            public_key: made.publicKey,
            fingerprint: made.fingerprint,
            created_at: now,
          };
          await tx.insertInto('keypairs').values(stored).execute();
          await audit(tx, ctx, 'keypair', keypair.name);
          return stored;
        },
        { locks: [`keypairs:${userId}`] },
      );
      return {
        status: minor >= 2 ? 201 : 200,
        body: {
          keypair: {
            ...briefView(row, minor),
            user_id: userId,
            ...(made.privateKey === null ? {} : { private_key: made.privateKey }),
          },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-keypairs/:keypair_name',
    ids,
    policy: 'compute:keypairs:list',
    summary: 'Show a key pair',
    query: Type.Object(owner),
    async handler({ ctx, params, query }) {
      const row = await findKeypair(ctx.platform.db.read, ownerOf(ctx, query.user_id), params.keypair_name);
      return {
        body: {
          keypair: {
            ...briefView(row, ctx.microversion),
            id: row.number,
            user_id: row.user_id,
            created_at: createdAt(row),
            updated_at: null,
            deleted: false,
            deleted_at: null,
          },
        },
      };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2.1/os-keypairs/:keypair_name',
    ids,
    policy: 'compute:keypairs:manage',
    summary: 'Delete a key pair',
    query: Type.Object(owner),
    async handler({ ctx, params, query }) {
      const userId = ownerOf(ctx, query.user_id);
      await ctx.platform.db.tx(async (tx) => {
        await findKeypair(tx, userId, params.keypair_name);
        await tx
          .deleteFrom('keypairs')
          .where('user_id', '=', userId)
          .where('name', '=', params.keypair_name)
          .execute();
        await audit(tx, ctx, 'keypair', params.keypair_name);
      });
      return { status: ctx.microversion >= 2 ? 204 : 202 };
    },
  }),
];
