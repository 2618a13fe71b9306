// Access rules of application credentials: the only requests that tokens of one may make. The pipeline holds them to
// it (kernel/access-rules.ts). A rule belongs to its user, and several credentials may share it.
import { Type, type Static } from 'typebox';
import type { AccessRule } from '../../../kernel/access-rules.ts';
import { audit } from '../../../kernel/audit.ts';
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, strict, text } from '../../../kernel/schema.ts';
import type { Rows } from '../identity.ts';
import { permit, requireFree } from '../policy.ts';
import { userFor } from '../users/service.ts';
import { collection, urlOf } from '../wire.ts';

export type AccessRuleRow = { id: string; user_id: string; service: string; method: string; path: string };

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    access_rules: AccessRuleRow;
    application_credential_rules: { credential_id: string; rule_id: string };
  }
}

export const accessRuleMigrations: Migration[] = [
  {
    id: 'identity-0020-access-rules',
    async up(db) {
      await db.schema
        .createTable('access_rules')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('service', 'text', (c) => c.notNull())
        .addColumn('method', 'text', (c) => c.notNull())
        .addColumn('path', 'text', (c) => c.notNull())
        .addUniqueConstraint('access_rules_once', ['user_id', 'service', 'method', 'path'])
        .execute();
      await db.schema
        .createTable('application_credential_rules')
        .addColumn('credential_id', 'text', (c) => c.notNull())
        .addColumn('rule_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('application_credential_rules_pk', ['credential_id', 'rule_id'])
        .execute();
      await db.schema
        .createIndex('application_credential_rules_rule')
        .on('application_credential_rules')
        .column('rule_id')
        .execute();
      // 1: it has rules, perhaps an empty list of them, which allows nothing.
      await db.schema
        .alterTable('application_credentials')
        .addColumn('has_rules', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const MAX_RULES = 40;
/** Characters of all rules of a credential: they travel in every token of it. */
const MAX_LENGTH = 2_000;

export const accessRulesBody = Type.Array(
  strict({
    id: Type.Optional(idOf('access-rule')),
    path: Type.Optional(Type.String({ maxLength: 128, pattern: '^/[^\\x00-\\x20\\x7f?#]*$' })),
    method: Type.Optional(Type.Union(METHODS.map((method) => Type.Literal(method)))),
    service: Type.Optional(text(64, 1)),
  }),
  { maxItems: MAX_RULES },
);

function requirePath(path: string): void {
  const segments = path.split('/');
  if (segments.filter((segment) => segment === '**').length > 2)
    throw badRequest(
      `Invalid input for field access_rules.path. Value: ${path}. It must not have more than two segments **.`,
    );
}

/** Each by the id of a rule that the user has already, or by what it says; returns their ids. */
export async function rulesFor(
  tx: Tx,
  ctx: Ctx,
  userId: string,
  services: ReadonlySet<string>,
  asked: Static<typeof accessRulesBody>,
): Promise<string[]> {
  const ids: string[] = [];
  let length = 0;
  for (const one of asked) {
    let row: AccessRuleRow | undefined;
    if (one.id !== undefined) {
      row = await tx
        .selectFrom('access_rules')
        .selectAll()
        .where('id', '=', one.id)
        .where('user_id', '=', userId)
        .executeTakeFirst();
      if (row === undefined) throw notFound('Access Rule', one.id);
    } else {
      const { service, method, path } = one;
      if (service === undefined || method === undefined || path === undefined)
        throw badRequest(
          'Invalid input for field access_rules. Each must be the id of an access rule, or have path, method and service.',
        );
      if (!services.has(service))
        throw badRequest(
          `Invalid input for field access_rules.service. Value: ${service}. It must be the type of a service in the catalog.`,
        );
      requirePath(path);
      const made = { id: ctx.platform.ids.hex(), user_id: userId, service, method, path };
      await tx
        .insertInto('access_rules')
        .values(made)
        .onConflict((oc) => oc.doNothing())
        .execute();
      row = await tx
        .selectFrom('access_rules')
        .selectAll()
        .where('user_id', '=', userId)
        .where('service', '=', service)
        .where('method', '=', method)
        .where('path', '=', path)
        .executeTakeFirstOrThrow();
    }
    ids.push(row.id);
    length += row.path.length + row.service.length + row.method.length;
  }
  if (length > MAX_LENGTH)
    throw badRequest(
      `Invalid input for field access_rules. All rules together must not exceed ${MAX_LENGTH} characters: every token carries them.`,
    );
  return [...new Set(ids)];
}

/** Credential -> its rules; null where it has none. */
export async function rulesOfAll(
  rows: Rows,
  credentials: readonly { id: string; has_rules: number }[],
): Promise<Map<string, AccessRuleRow[] | null>> {
  const out = new Map<string, AccessRuleRow[] | null>(
    credentials.map((row) => [row.id, row.has_rules === 1 ? [] : null]),
  );
  const withRules = credentials.filter((row) => row.has_rules === 1).map((row) => row.id);
  if (withRules.length === 0) return out;
  const found = await rows
    .selectFrom('application_credential_rules')
    .innerJoin('access_rules', 'access_rules.id', 'application_credential_rules.rule_id')
    .selectAll('access_rules')
    .select('application_credential_rules.credential_id')
    .where('application_credential_rules.credential_id', 'in', withRules)
    .orderBy('access_rules.id')
    .execute();
  for (const { credential_id, ...rule } of found) out.get(credential_id)?.push(rule);
  return out;
}

/** null: nothing is narrowed. */
export async function accessRulesOf(
  rows: Rows,
  credential: { id: string; has_rules: number },
): Promise<readonly AccessRule[] | null> {
  const rules = (await rulesOfAll(rows, [credential])).get(credential.id) ?? null;
  return rules?.map(({ service, method, path }) => ({ service, method, path })) ?? null;
}

export const ruleView = (row: AccessRuleRow): object => ({
  id: row.id,
  service: row.service,
  method: row.method,
  path: row.path,
});
const linkedView = (platform: Platform, row: AccessRuleRow): object => ({
  ...ruleView(row),
  links: { self: urlOf(platform, `/v3/users/${row.user_id}/access_rules/${row.id}`) },
});

const LIST = '/v3/users/:user_id/access_rules';
const ONE = `${LIST}/:access_rule_id`;
const ids = { user_id: 'user', access_rule_id: 'access-rule' } as const;

async function ruleFor(rows: Rows, ctx: Ctx, userId: string, id: string): Promise<AccessRuleRow> {
  const user = await userFor(rows, ctx, userId);
  const row = await rows
    .selectFrom('access_rules')
    .selectAll()
    .where('id', '=', id)
    .where('user_id', '=', user.id)
    .executeTakeFirst();
  if (row === undefined) throw notFound('Access Rule', id);
  permit(ctx, { userId: user.id, domainId: user.domain_id });
  return row;
}

export const accessRuleRoutes: Route[] = [
  route({
    method: 'GET',
    path: LIST,
    policy: 'identity:list_access_rules',
    summary: 'List the access rules of a user',
    ids: { user_id: 'user' },
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const user = await userFor(read, ctx, params.user_id);
      permit(ctx, { userId: user.id, domainId: user.domain_id });
      const rows = await read
        .selectFrom('access_rules')
        .selectAll()
        .where('user_id', '=', user.id)
        .orderBy('id')
        .execute();
      return collection(ctx, `/v3/users/${user.id}/access_rules`, 'access_rules', rows, linkedView);
    },
  }),
  route({
    method: 'GET',
    path: ONE,
    policy: 'identity:get_access_rule',
    summary: 'Show an access rule',
    ids,
    handler: async ({ ctx, params }) => ({
      body: {
        access_rule: linkedView(
          ctx.platform,
          await ruleFor(ctx.platform.db.read, ctx, params.user_id, params.access_rule_id),
        ),
      },
    }),
  }),
  route({
    method: 'DELETE',
    path: ONE,
    policy: 'identity:delete_access_rule',
    summary: 'Delete an access rule that no credential uses',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await ruleFor(tx, ctx, params.user_id, params.access_rule_id);
        requireFree(ctx);
        const used = await tx
          .selectFrom('application_credential_rules')
          .select('credential_id')
          .where('rule_id', '=', row.id)
          .executeTakeFirst();
        if (used !== undefined)
          throw forbidden(
            `Access rule ${row.id} is in use by application credential ${used.credential_id}: delete that first.`,
          );
        await tx.deleteFrom('access_rules').where('id', '=', row.id).execute();
        await audit(tx, ctx, 'access-rule', row.id);
      });
      return {};
    },
  }),
];
