// Tokens over HTTP: /v3/auth.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { forbidden, notFound } from '../../../kernel/errors.ts';
import { route, type Call, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { text } from '../../../kernel/schema.ts';
import { effectiveRoles, workableDomains, workableProjects } from '../assignments/effective.ts';
import { domainView } from '../domains/service.ts';
import type { Identity } from '../identity.ts';
import { may } from '../policy.ts';
import { projectView } from '../projects/service.ts';
import { collection, flag, urlOf } from '../wire.ts';
import { login } from './login.ts';
import { revoking, subjects } from './revocations.ts';
import { authBody } from './schema.ts';
import type { ValidToken } from './tokens.ts';
import { tokenView } from './wire.ts';

const query = Type.Object({ nocatalog: Type.Optional(text()), allow_expired: Type.Optional(text()) });

/** The token that the request is about: the actor's own user's, or any for those who may. Else there is none. */
function subjectOf(
  identity: Identity,
  ctx: Ctx,
  headers: Call<never, never, never>['headers'],
  allowExpired = false,
): { token: string; valid: ValidToken } {
  const token = headers['x-subject-token'];
  const { validate, validateExpired } = identity.tokens;
  const valid = typeof token !== 'string' ? null : allowExpired ? validateExpired(token) : validate(token);
  if (valid === null || typeof token !== 'string') throw notFound('Token', 'in X-Subject-Token');
  if (valid.claims.user.id !== ctx.actor.userId && !may(ctx.actor, 'identity:validate_foreign_token', null))
    throw notFound('Token', 'in X-Subject-Token');
  return { token, valid };
}

/** The deletion of the first token of a chain ends all that were derived from it; of another one, only itself. */
async function revoke(identity: Identity, ctx: Ctx, { claims }: ValidToken): Promise<void> {
  const subject =
    claims.auditId === claims.chainId ? subjects.chain(claims.chainId) : subjects.token(claims.auditId);
  await ctx.platform.db.tx(async (tx) => {
    await identity.revocations.revoke(tx, [subject], claims.expiresAt);
    await audit(tx, ctx, 'token', claims.auditId);
  }, revoking);
}

/** A token of a trust, a key or an application credential gives its project and no other, whatever its user has. */
const isBound = ({ actor }: Ctx): boolean => actor.trustId !== undefined || actor.credentialId !== undefined;

export const tokenRoutes = (identity: Identity): Route[] => [
  route({
    method: 'POST',
    path: '/v3/auth/tokens',
    policy: 'identity:authenticate',
    summary: 'Exchange credentials for a token',
    query,
    body: authBody,
    async handler({ ctx, body, query: asked, headers, address }) {
      const from = { address, receipt: headers['openstack-auth-receipt'] };
      const reply = await login(identity, ctx.platform, from, body.auth);
      if ('receipt' in reply) return reply.receipt;
      const { token, claims } = reply;
      return {
        status: 201,
        headers: { 'x-subject-token': token, vary: 'X-Auth-Token', 'cache-control': 'no-store' },
        body: tokenView(claims, flag(asked.nocatalog) ? null : await identity.catalogOf(claims)),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v3/auth/tokens',
    policy: 'identity:validate_token',
    summary: 'Show a token',
    query,
    async handler({ ctx, headers, query: asked }) {
      const { token, valid } = subjectOf(identity, ctx, headers, flag(asked.allow_expired));
      const { claims } = valid;
      // Who does not know of access rules would let more through than they do.
      if (claims.accessRules !== undefined && !(Number(headers['openstack-identity-access-rules']) >= 1))
        throw notFound('Token', 'in X-Subject-Token');
      return {
        headers: { 'x-subject-token': token, vary: 'X-Auth-Token', 'cache-control': 'no-store' },
        body: tokenView(claims, flag(asked.nocatalog) ? null : await identity.catalogOf(claims)),
      };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/auth/tokens',
    policy: 'identity:revoke_token',
    summary: 'Revoke a token',
    status: 204,
    async handler({ ctx, headers }) {
      const { valid } = subjectOf(identity, ctx, headers);
      await revoke(identity, ctx, valid);
      return {};
    },
  }),
  route({
    method: 'GET',
    path: '/v3/auth/catalog',
    policy: 'identity:get_auth',
    summary: 'Show the catalog of the own token',
    async handler({ ctx }) {
      if (ctx.actor.scope.type === 'unscoped')
        throw forbidden(
          'No catalog is associated with an unscoped token: ask for a token with a project, a domain or the system as its scope.',
        );
      return {
        body: {
          catalog: await identity.catalog.of(ctx.actor.scope, ctx.actor.userId),
          links: { self: urlOf(ctx.platform, '/v3/auth/catalog'), previous: null, next: null },
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v3/auth/projects',
    policy: 'identity:get_auth',
    summary: 'List the projects for which one can get a token',
    handler: async ({ ctx }) =>
      collection(
        ctx,
        '/v3/auth/projects',
        'projects',
        (await workableProjects(ctx.platform.db.read, ctx.actor.userId)).filter(
          (row) => !isBound(ctx) || row.id === projectOf(ctx.actor),
        ),
        projectView,
      ),
  }),
  route({
    method: 'GET',
    path: '/v3/auth/domains',
    policy: 'identity:get_auth',
    summary: 'List the domains for which one can get a token',
    handler: async ({ ctx }) =>
      collection(
        ctx,
        '/v3/auth/domains',
        'domains',
        isBound(ctx) ? [] : await workableDomains(ctx.platform.db.read, ctx.actor.userId),
        domainView,
      ),
  }),
  route({
    method: 'GET',
    path: '/v3/auth/system',
    policy: 'identity:get_auth',
    summary: 'Show whether one can get a token for the system',
    async handler({ ctx }) {
      const roles = isBound(ctx)
        ? []
        : await effectiveRoles(ctx.platform.db.read, ctx.actor.userId, 'system', '');
      return {
        body: {
          system: roles.length === 0 ? [] : [{ all: true }],
          links: { self: urlOf(ctx.platform, '/v3/auth/system') },
        },
      };
    },
  }),
];
