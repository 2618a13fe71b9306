// Application credentials over HTTP: api-ref "Application Credentials". A user makes them, never an operator for one;
// what a credential gives is never more than the token gave that made it (security-cases 9).
import { randomBytes } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { effectiveRoles, type Role } from '../assignments/effective.ts';
import type { Identity, Rows } from '../identity.ts';
import { permit, requireFree } from '../policy.ts';
import { isoOfMicros, microsOf } from '../times.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import { userFor } from '../users/service.ts';
import { collection, nameOf, uniquely, urlOf } from '../wire.ts';
import { accessRulesBody, rulesFor, rulesOfAll, ruleView, type AccessRuleRow } from './access-rules.ts';
import { forgetOrphans, type ApplicationCredentialRow } from './table.ts';

const MAX_A_USER = 100;
const LIST = '/v3/users/:user_id/application_credentials';
const ONE = `${LIST}/:application_credential_id`;
const ids = { user_id: 'user', application_credential_id: 'application-credential' } as const;

const createBody = strict({
  application_credential: strict({
    name: nameOf(255),
    description: Type.Optional(nullable(prose(4000))),
    secret: Type.Optional(nullable(Type.String({ minLength: 16, maxLength: 1024 }))),
    expires_at: Type.Optional(nullable(text(64))),
    roles: Type.Optional(
      Type.Array(strict({ id: Type.Optional(idOf('role')), name: Type.Optional(text(255, 1)) }), {
        maxItems: 100,
      }),
    ),
    unrestricted: Type.Optional(Type.Boolean()),
    access_rules: Type.Optional(nullable(accessRulesBody)),
  }),
});
type Asked = Static<typeof createBody>['application_credential'];

type Shown = ApplicationCredentialRow & { roleNames: readonly Role[]; rules: AccessRuleRow[] | null };

const view = (platform: Platform, row: Shown): object => ({
  id: row.id,
  name: row.name,
  description: row.description,
  user_id: row.user_id,
  project_id: row.project_id,
  system: null,
  roles: row.roleNames.map(({ id, name }) => ({ id, name, domain_id: null })),
  expires_at: row.expires_at === null ? null : isoOfMicros(row.expires_at),
  unrestricted: row.unrestricted === 1,
  ...(row.rules === null ? {} : { access_rules: row.rules.map(ruleView) }),
  links: { self: urlOf(platform, `/v3/users/${row.user_id}/application_credentials/${row.id}`) },
});

async function withRoles(rows: Rows, found: readonly ApplicationCredentialRow[]): Promise<Shown[]> {
  const wanted = [...new Set(found.flatMap((row) => JSON.parse(row.roles) as string[]))];
  const roles =
    wanted.length === 0
      ? []
      : await rows.selectFrom('roles').select(['id', 'name']).where('id', 'in', wanted).execute();
  const rules = await rulesOfAll(rows, found);
  return found.map((row) => {
    const own = new Set(JSON.parse(row.roles) as string[]);
    return {
      ...row,
      roleNames: roles.filter((role) => own.has(role.id)),
      rules: rules.get(row.id) ?? null,
    };
  });
}

/** Of the roles that the user has there, and the token too where it comes of a credential; the token's when none is named. */
async function chosenRoles(
  rows: Rows,
  ctx: Ctx,
  projectId: string,
  asked: Asked['roles'],
): Promise<string[]> {
  const own = await effectiveRoles(rows, ctx.actor.userId, 'project', projectId);
  const carried = own.filter((role) => ctx.actor.roles.has(role.name));
  if (asked === undefined) return carried.map((role) => role.id);
  // Whoever proved to be the user could get another token; who holds a credential of the user could not.
  const held = ctx.actor.credentialId === undefined ? own : carried;
  return asked.map((one) => {
    if ((one.id === undefined) === (one.name === undefined))
      throw badRequest('Invalid input for field roles. Each must name a role by id or by name.');
    const role = held.find((each) => each.id === one.id || each.name === one.name);
    if (role === undefined)
      throw badRequest(
        `Invalid application credential: Could not find role assignment with role: ${one.id ?? one.name}, user or group: ${ctx.actor.userId}, project, domain, or system: ${projectId}.`,
      );
    return role.id;
  });
}

/** What is made with a credential's token does not outlive that credential. */
export async function requireWithin(rows: Rows, ctx: Ctx, expiresAt: number | null): Promise<void> {
  if (ctx.actor.credentialId === undefined) return;
  const parent = await rows
    .selectFrom('application_credentials')
    .select('expires_at')
    .where('id', '=', ctx.actor.credentialId)
    .executeTakeFirst();
  if (parent === undefined) throw forbidden('The application credential of this token is gone.');
  if (parent.expires_at !== null && (expiresAt === null || expiresAt > parent.expires_at))
    throw badRequest(
      `Invalid input for field expires_at. It must not lie after that of the application credential of this token, ${isoOfMicros(parent.expires_at)}.`,
    );
}

async function create(
  identity: Identity,
  ctx: Ctx,
  userId: string,
  asked: Asked,
): Promise<Shown & { secret: string }> {
  const { scope } = ctx.actor;
  await userFor(ctx.platform.db.read, ctx, userId);
  permit(ctx, { userId });
  requireFree(ctx);
  if (scope.type !== 'project')
    throw badRequest('An application credential acts in a project: send a token that is scoped to one.');
  const secret = asked.secret ?? randomBytes(64).toString('base64url');
  const secretHash = await identity.passwords.hash(secret);
  const services = new Set(await identity.serviceTypes());
  const work = ctx.platform.db.tx(
    async (tx) => {
      const { used } = await tx
        .selectFrom('application_credentials')
        .select((eb) => eb.fn.countAll<number>().as('used'))
        .where('user_id', '=', userId)
        .executeTakeFirstOrThrow();
      if (Number(used) >= MAX_A_USER)
        throw forbidden(`A user has at most ${MAX_A_USER} application credentials; delete one first.`);
      const row: ApplicationCredentialRow = {
        id: ctx.platform.ids.hex(),
        user_id: userId,
        project_id: scope.id,
        name: asked.name,
        description: asked.description ?? null,
        secret_hash: secretHash,
        roles: JSON.stringify(await chosenRoles(tx, ctx, scope.id, asked.roles)),
        expires_at: microsOf(ctx.platform.clock, 'expires_at', asked.expires_at),
        unrestricted: Number(asked.unrestricted ?? false),
        has_rules: Number((asked.access_rules ?? null) !== null),
      };
      await requireWithin(tx, ctx, row.expires_at);
      const rules = await rulesFor(tx, ctx, userId, services, asked.access_rules ?? []);
      await tx.insertInto('application_credentials').values(row).execute();
      if (rules.length > 0)
        await tx
          .insertInto('application_credential_rules')
          .values(rules.map((rule_id) => ({ credential_id: row.id, rule_id })))
          .execute();
      await audit(tx, ctx, 'application-credential', row.id);
      return row;
    },
    { locks: [`application-credentials:${userId}`] },
  );
  const row = await uniquely('application_credential', asked.name, work);
  const [shown] = await withRoles(ctx.platform.db.read, [row]);
  return { ...row, roleNames: shown?.roleNames ?? [], rules: shown?.rules ?? null, secret };
}

async function find(rows: Rows, ctx: Ctx, userId: string, id: string): Promise<ApplicationCredentialRow> {
  await userFor(rows, ctx, userId);
  const row = await rows
    .selectFrom('application_credentials')
    .selectAll()
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  if (row === undefined) throw notFound('Application Credential', id);
  return row;
}

async function remove(identity: Identity, ctx: Ctx, userId: string, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await find(tx, ctx, userId, id);
    permit(ctx, { userId });
    requireFree(ctx);
    await tx.deleteFrom('application_credentials').where('id', '=', row.id).execute();
    await forgetOrphans(tx);
    await identity.revocations.revoke(tx, [subjects.credential(row.id)]);
    await audit(tx, ctx, 'application-credential', row.id);
  }, revoking);
}

export const applicationCredentialRoutes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: LIST,
    policy: 'identity:list_application_credentials',
    summary: 'List the application credentials of a user',
    ids: { user_id: 'user' },
    query: Type.Object({ name: Type.Optional(text()) }),
    async handler({ ctx, params, query }) {
      const { read } = ctx.platform.db;
      const user = await userFor(read, ctx, params.user_id);
      permit(ctx, { userId: user.id, domainId: user.domain_id });
      let found = read.selectFrom('application_credentials').selectAll().where('user_id', '=', user.id);
      if (query.name !== undefined) found = found.where('name', '=', query.name);
      const rows = await withRoles(read, await found.orderBy('name').execute());
      return collection(
        ctx,
        `/v3/users/${user.id}/application_credentials`,
        'application_credentials',
        rows,
        view,
      );
    },
  }),
  route({
    method: 'POST',
    path: LIST,
    policy: 'identity:create_application_credential',
    summary: 'Create an application credential for oneself',
    ids: { user_id: 'user' },
    status: 201,
    body: createBody,
    async handler({ ctx, params, body }) {
      const { secret, ...row } = await create(identity, ctx, params.user_id, body.application_credential);
      return { body: { application_credential: { ...view(ctx.platform, row), secret } } };
    },
  }),
  route({
    method: 'GET',
    path: ONE,
    policy: 'identity:get_application_credential',
    summary: 'Show an application credential',
    ids,
    async handler({ ctx, params }) {
      const { read } = ctx.platform.db;
      const user = await userFor(read, ctx, params.user_id);
      permit(ctx, { userId: user.id, domainId: user.domain_id });
      const [row] = await withRoles(read, [await find(read, ctx, user.id, params.application_credential_id)]);
      if (row === undefined) throw notFound('Application Credential', params.application_credential_id);
      return { body: { application_credential: view(ctx.platform, row) } };
    },
  }),
  route({
    method: 'DELETE',
    path: ONE,
    policy: 'identity:delete_application_credential',
    summary: 'Delete an application credential; its tokens end',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      await remove(identity, ctx, params.user_id, params.application_credential_id);
      return {};
    },
  }),
];
