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
import { permit } from '../policy.ts';
import { revoking, subjects } from '../tokens/revocations.ts';
import { userFor } from '../users/service.ts';
import { collection, nameOf, uniquely, urlOf } from '../wire.ts';
import type { ApplicationCredentialRow } from './table.ts';

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
    // Rules that narrow a credential to single requests are not there yet: refused rather than ignored.
    access_rules: Type.Optional(nullable(Type.Array(Type.Unknown(), { maxItems: 0 }))),
  }),
});
type Asked = Static<typeof createBody>['application_credential'];

/** With microseconds and without a zone, as Keystone writes it. */
const expiry = (micros: number | null): string | null =>
  micros === null
    ? null
    : new Date(Math.floor(micros / 1000)).toISOString().replace('Z', String(micros % 1000).padStart(3, '0'));

type Shown = ApplicationCredentialRow & { roleNames: readonly Role[] };

const view = (platform: Platform, row: Shown): object => ({
  id: row.id,
  name: row.name,
  description: row.description,
  user_id: row.user_id,
  project_id: row.project_id,
  system: null,
  roles: row.roleNames.map(({ id, name }) => ({ id, name, domain_id: null })),
  expires_at: expiry(row.expires_at),
  unrestricted: row.unrestricted === 1,
  links: { self: urlOf(platform, `/v3/users/${row.user_id}/application_credentials/${row.id}`) },
});

async function withRoles(rows: Rows, found: readonly ApplicationCredentialRow[]): Promise<Shown[]> {
  const wanted = [...new Set(found.flatMap((row) => JSON.parse(row.roles) as string[]))];
  const roles =
    wanted.length === 0
      ? []
      : await rows.selectFrom('roles').select(['id', 'name']).where('id', 'in', wanted).execute();
  return found.map((row) => {
    const own = new Set(JSON.parse(row.roles) as string[]);
    return { ...row, roleNames: roles.filter((role) => own.has(role.id)) };
  });
}

function expiryOf(ctx: Ctx, asked: string | null | undefined): number | null {
  if (asked === null || asked === undefined) return null;
  const iso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$/.test(asked);
  const stamp = iso
    ? Date.parse(/(Z|[+-]\d{2}:\d{2})$/.test(asked.slice(16)) ? asked : `${asked}Z`)
    : Number.NaN;
  if (Number.isNaN(stamp))
    throw badRequest(`Invalid input for field expires_at. Value: ${asked}. It must be an ISO 8601 time.`);
  const micros = /\.\d{3}(\d{1,3})/.exec(asked)?.[1]?.padEnd(3, '0') ?? '0';
  if (stamp <= ctx.platform.clock.now())
    throw badRequest(`Invalid input for field expires_at. Value: ${asked}. It must lie in the future.`);
  return stamp * 1000 + Number(micros);
}

/** Credentials that were made to be no more than they are cannot make or unmake others. */
function refuseRestricted(ctx: Ctx): void {
  if (ctx.actor.mayDelegate === false)
    throw forbidden(
      `You are not authorized to perform the requested action: ${ctx.action}. Tokens of a restricted application credential cannot manage application credentials.`,
    );
}

/** Of the roles that the token has; all of them when none is named. */
async function chosenRoles(
  rows: Rows,
  ctx: Ctx,
  projectId: string,
  asked: Asked['roles'],
): Promise<string[]> {
  const held = (await effectiveRoles(rows, ctx.actor.userId, 'project', projectId)).filter((role) =>
    ctx.actor.roles.has(role.name),
  );
  if (asked === undefined) return held.map((role) => role.id);
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

async function create(
  identity: Identity,
  ctx: Ctx,
  userId: string,
  asked: Asked,
): Promise<Shown & { secret: string }> {
  const { scope } = ctx.actor;
  await userFor(ctx.platform.db.read, ctx, userId);
  permit(ctx, { userId });
  refuseRestricted(ctx);
  if (scope.type !== 'project')
    throw badRequest('An application credential acts in a project: send a token that is scoped to one.');
  const secret = asked.secret ?? randomBytes(64).toString('base64url');
  const secretHash = await identity.passwords.hash(secret);
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
        expires_at: expiryOf(ctx, asked.expires_at),
        unrestricted: Number(asked.unrestricted ?? false),
      };
      await tx.insertInto('application_credentials').values(row).execute();
      await audit(tx, ctx, 'application-credential', row.id);
      return row;
    },
    { locks: [`application-credentials:${userId}`] },
  );
  const row = await uniquely('application_credential', asked.name, work);
  const [shown] = await withRoles(ctx.platform.db.read, [row]);
  return { ...row, roleNames: shown?.roleNames ?? [], secret };
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
    refuseRestricted(ctx);
    await tx.deleteFrom('application_credentials').where('id', '=', row.id).execute();
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
