// EC2 credentials of a user (/v3/users/{id}/credentials/OS-EC2), and the exchange of signatures for tokens: ec2tokens and
// s3tokens. Those two are for services that were handed a signature, and ask for a token of their own: whoever sees
// a signed request, such as a presigned address, could otherwise make a token of it (CVE-2025-65073).
import { Type, type Static } from 'typebox';
import { notFound } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { idOf, strict, text } from '../../../kernel/schema.ts';
import type { ApplicationCredentialRow } from '../application-credentials/table.ts';
import type { Identity, Rows } from '../identity.ts';
import { requireFree } from '../policy.ts';
import { loginBySignature } from '../tokens/login.ts';
import { refused } from '../tokens/lookup.ts';
import { tokenView } from '../tokens/wire.ts';
import { userFor } from '../users/service.ts';
import { collection, urlOf } from '../wire.ts';
import {
  accessHash,
  createEc2,
  deleteCredential,
  ec2Keys,
  isVisible,
  opened,
  type OpenCredential,
} from './service.ts';
import { isEc2Signature, isS3Signature } from './signature.ts';
import type { CredentialRow } from './table.ts';

const LIST = '/v3/users/:user_id/credentials/OS-EC2';
const ONE = `${LIST}/:credential_id`;
const ids = { user_id: 'user', credential_id: 'ec2-credential' } as const;

const view = (platform: Platform, row: OpenCredential): object => {
  const { access, secret } = ec2Keys(row);
  return {
    user_id: row.user_id,
    tenant_id: row.project_id,
    access,
    secret,
    trust_id: null,
    links: { self: urlOf(platform, `/v3/users/${row.user_id}/credentials/OS-EC2/${access}`) },
  };
};

/** By its access key: of this user, and visible; 404 otherwise. */
async function ec2For(rows: Rows, ctx: Ctx, userId: string, access: string): Promise<CredentialRow> {
  requireFree(ctx);
  await userFor(rows, ctx, userId);
  const row = await rows
    .selectFrom('credentials')
    .selectAll()
    .where('access_hash', '=', accessHash(access))
    .where('user_id', '=', userId)
    .executeTakeFirst();
  if (row === undefined || !isVisible(ctx, row)) throw notFound('Credential', access);
  return row;
}

const record = Type.Record(Type.String({ pattern: '^[^\\x00-\\x1f\\x7f]{1,255}$' }), text(8192));
const line = Type.Optional(text(8192));
const ec2Request = Type.Object({
  access: text(255, 1),
  signature: text(255, 1),
  verb: line,
  host: line,
  path: line,
  params: Type.Optional(record),
  headers: Type.Optional(record),
  body_hash: line,
});
const s3Request = Type.Object({
  access: text(255, 1),
  signature: text(255, 1),
  /** What was signed, in base64. */
  token: text(16_384, 1),
});

/** Whose signature it is, if the test finds it good: 401 otherwise. */
async function signedBy(
  identity: Identity,
  platform: Platform,
  access: string,
  test: (secret: string) => boolean,
): Promise<{ userId: string; projectId: string; credential: ApplicationCredentialRow | null }> {
  const rows = platform.db.read;
  const row = await rows
    .selectFrom('credentials')
    .selectAll()
    .where('access_hash', '=', accessHash(access))
    .where('type', '=', 'ec2')
    .executeTakeFirst();
  if (row === undefined || row.project_id === null || !test(ec2Keys(opened(identity, row)).secret))
    throw refused();
  if (row.application_credential_id === null)
    return { userId: row.user_id, projectId: row.project_id, credential: null };
  const credential = await rows
    .selectFrom('application_credentials')
    .selectAll()
    .where('id', '=', row.application_credential_id)
    .executeTakeFirst();
  if (credential === undefined || credential.user_id !== row.user_id) throw refused();
  return { userId: row.user_id, projectId: row.project_id, credential };
}

const signatureRoutes = (identity: Identity): Route[] => [
  route({
    method: 'POST',
    path: '/v3/ec2tokens',
    policy: 'identity:exchange_signature',
    summary: 'Exchange the signature of an EC2 request for a token',
    body: Type.Object({
      credentials: Type.Optional(ec2Request),
      ec2Credentials: Type.Optional(ec2Request),
    }),
    async handler({ ctx, body }) {
      const request: Static<typeof ec2Request> | undefined = body.credentials ?? body.ec2Credentials;
      if (request === undefined) throw refused();
      const { platform } = ctx;
      const { token, claims } = await loginBySignature(identity, platform, 'ec2credential', () =>
        signedBy(identity, platform, request.access, (secret) =>
          isEc2Signature(request, secret, platform.clock.now()),
        ),
      );
      return {
        headers: { 'x-subject-token': token, vary: 'X-Auth-Token', 'cache-control': 'no-store' },
        body: tokenView(claims, await identity.catalogOf(claims)),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v3/s3tokens',
    policy: 'identity:exchange_signature',
    summary: 'Check the signature of an S3 request and show whose it is',
    body: Type.Object({ credentials: s3Request }),
    async handler({ ctx, body: { credentials: request } }) {
      const { platform } = ctx;
      const text = Buffer.from(request.token, 'base64url').toString('utf8');
      const { claims } = await loginBySignature(identity, platform, 's3credential', () =>
        signedBy(identity, platform, request.access, (secret) =>
          isS3Signature(text, request.signature, secret, platform.clock.now()),
        ),
      );
      // What it gives is to be known, not to be used: the token itself is not handed out.
      return { headers: { 'cache-control': 'no-store' }, body: tokenView(claims, null) };
    },
  }),
];

export const ec2Routes = (identity: Identity): Route[] => [
  route({
    method: 'GET',
    path: LIST,
    policy: 'identity:list_credentials',
    summary: 'List the EC2 credentials of a user',
    ids: { user_id: 'user' },
    async handler({ ctx, params }) {
      requireFree(ctx);
      const { read } = ctx.platform.db;
      const user = await userFor(read, ctx, params.user_id);
      const rows = await read
        .selectFrom('credentials')
        .selectAll()
        .where('user_id', '=', user.id)
        .where('type', '=', 'ec2')
        .orderBy('id')
        .execute();
      const own = rows.filter((row) => isVisible(ctx, row)).map((row) => opened(identity, row));
      return collection(ctx, `/v3/users/${user.id}/credentials/OS-EC2`, 'credentials', own, view);
    },
  }),
  route({
    method: 'POST',
    path: LIST,
    policy: 'identity:create_credential',
    summary: 'Create an EC2 credential',
    ids: { user_id: 'user' },
    body: strict({ tenant_id: idOf('project') }),
    status: 201,
    handler: async ({ ctx, params, body }) => ({
      body: {
        credential: view(ctx.platform, await createEc2(identity, ctx, params.user_id, body.tenant_id)),
      },
    }),
  }),
  route({
    method: 'GET',
    path: ONE,
    policy: 'identity:get_credential',
    summary: 'Show an EC2 credential',
    ids,
    async handler({ ctx, params }) {
      const row = await ec2For(ctx.platform.db.read, ctx, params.user_id, params.credential_id);
      return { body: { credential: view(ctx.platform, opened(identity, row)) } };
    },
  }),
  route({
    method: 'DELETE',
    path: ONE,
    policy: 'identity:delete_credential',
    summary: 'Delete an EC2 credential',
    ids,
    status: 204,
    async handler({ ctx, params }) {
      const row = await ec2For(ctx.platform.db.read, ctx, params.user_id, params.credential_id);
      await deleteCredential(ctx, row.id);
      return {};
    },
  }),
  ...signatureRoutes(identity),
];
