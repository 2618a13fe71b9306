// The verbs on credentials. They hold secrets that are worth tokens, so only their owner and operators read them, and
// only with a token that may hand its rights on. What a token of an application credential makes or sees stays bound
// to that credential and its project (security-cases 9).
import { createHash, randomBytes } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { effectiveRoles } from '../assignments/effective.ts';
import type { Identity, Rows } from '../identity.ts';
import { may, requireFree, type PolicyName } from '../policy.ts';
import { projectFor } from '../projects/service.ts';
import { userFor } from '../users/service.ts';
import { urlOf } from '../wire.ts';
import type { CredentialRow } from './table.ts';
import { seedOf } from './totp.ts';

const MAX_A_USER = 200;

/** Several lines where it is a certificate. */
const blob = prose(8192);
const fields = {
  user_id: Type.Optional(nullable(idOf('user'))),
  project_id: Type.Optional(nullable(idOf('project'))),
  type: text(255, 1),
  blob,
};
export const createCredentialBody = strict({ credential: strict(fields) });
export const updateCredentialBody = strict({
  credential: strict({ ...fields, type: Type.Optional(fields.type), blob: Type.Optional(blob) }),
});

export type OpenCredential = CredentialRow & { plain: string };

export const credentialView = (platform: Platform, row: OpenCredential): object => ({
  id: row.id,
  user_id: row.user_id,
  project_id: row.project_id,
  type: row.type,
  blob: row.plain,
  links: { self: urlOf(platform, `/v3/credentials/${row.id}`) },
});

export const opened = (identity: Identity, row: CredentialRow): OpenCredential => ({
  ...row,
  plain: identity.vault.open(row.blob, row.id),
});

export const accessHash = (access: string): string => createHash('sha256').update(access).digest('hex');

/** Whether the actor may see it at all: its own, or any for operators; of an application credential's token only what it made. */
export const isVisible = (ctx: Ctx, row: CredentialRow): boolean =>
  may(ctx.actor, ctx.action as PolicyName, { userId: row.user_id }) &&
  (isAdmin(ctx.actor) ||
    ctx.actor.credentialId === undefined ||
    row.application_credential_id === ctx.actor.credentialId);

/** The row, if the actor may have it: 404 otherwise. */
export async function credentialFor(rows: Rows, ctx: Ctx, id: string): Promise<CredentialRow> {
  requireFree(ctx);
  const row = await rows.selectFrom('credentials').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !isVisible(ctx, row)) throw notFound('Credential', id);
  return row;
}

type Ec2 = { access: string; secret: string };

/** The keys in the blob of an EC2 credential; 400 when it has none. */
function ec2Of(plain: string): Ec2 {
  let value: unknown;
  try {
    value = JSON.parse(plain);
  } catch {
    value = null;
  }
  const { access, secret } = (value ?? {}) as Partial<Record<keyof Ec2, unknown>>;
  if (typeof access !== 'string' || access === '' || typeof secret !== 'string' || secret === '')
    throw badRequest(
      'Invalid input for field blob. That of an ec2 credential must be JSON with the texts access and secret.',
    );
  return { access, secret };
}

function requireBlob(type: string, plain: string): void {
  if (type === 'ec2') ec2Of(plain);
  if (type === 'totp' && seedOf(plain) === null)
    throw badRequest(
      'Invalid input for field blob. That of a totp credential must be a seed of at least 16 characters in base32.',
    );
}

export const ec2Keys = (row: OpenCredential): Ec2 => ec2Of(row.plain);

/** The project that a credential may be for: one that its user works in, and that of the token where that is bound to one. */
async function requireProject(rows: Rows, ctx: Ctx, userId: string, projectId: string): Promise<void> {
  if (isAdmin(ctx.actor)) {
    await projectFor(rows, ctx, projectId);
    return;
  }
  const bound = ctx.actor.credentialId !== undefined && projectOf(ctx.actor) !== projectId;
  if (bound || (await effectiveRoles(rows, userId, 'project', projectId)).length === 0)
    throw notFound('Project', projectId);
}

type New = { userId: string; projectId: string | null; type: string; plain: string };

async function insert(identity: Identity, ctx: Ctx, tx: Tx, made: New): Promise<OpenCredential> {
  const { used } = await tx
    .selectFrom('credentials')
    .select((eb) => eb.fn.countAll<number>().as('used'))
    .where('user_id', '=', made.userId)
    .executeTakeFirstOrThrow();
  if (Number(used) >= MAX_A_USER)
    throw forbidden(`A user has at most ${MAX_A_USER} credentials; delete one first.`);
  const hash = made.type === 'ec2' ? accessHash(ec2Of(made.plain).access) : null;
  const id = hash ?? ctx.platform.ids.hex();
  const row: CredentialRow = {
    id,
    user_id: made.userId,
    project_id: made.projectId,
    type: made.type,
    blob: identity.vault.seal(made.plain, id),
    access_hash: hash,
    application_credential_id: ctx.actor.credentialId ?? null,
    last_step: 0,
  };
  await requireFreeKey(tx, hash, null);
  await tx.insertInto('credentials').values(row).execute();
  await audit(tx, ctx, 'credential', id);
  return { ...row, plain: made.plain };
}

async function requireFreeKey(rows: Rows, hash: string | null, own: string | null): Promise<void> {
  if (hash === null) return;
  const other = await rows
    .selectFrom('credentials')
    .select('id')
    .where((eb) => eb.or([eb('access_hash', '=', hash), eb('id', '=', hash)]))
    .executeTakeFirst();
  if (other !== undefined && other.id !== own)
    throw conflict('Conflict occurred attempting to store credential - the access key is taken.');
}

/** Whose the new credential is: the actor's, or of whom an operator names. */
async function requireOwner(rows: Rows, ctx: Ctx, asked: string | null | undefined): Promise<string> {
  const userId = asked ?? ctx.actor.userId;
  await userFor(rows, ctx, userId);
  if (!may(ctx.actor, ctx.action as PolicyName, { userId }))
    throw forbidden(`You are not authorized to perform the requested action: ${ctx.action}.`);
  return userId;
}

export async function createCredential(
  identity: Identity,
  ctx: Ctx,
  { credential: body }: Static<typeof createCredentialBody>,
): Promise<OpenCredential> {
  requireFree(ctx);
  const plain = body.blob;
  requireBlob(body.type, plain);
  return ctx.platform.db.tx(async (tx) => {
    const userId = await requireOwner(tx, ctx, body.user_id);
    const projectId = body.project_id ?? null;
    if (body.type === 'ec2' && projectId === null)
      throw badRequest('Invalid input for field project_id. An ec2 credential needs a project.');
    if (projectId !== null) await requireProject(tx, ctx, userId, projectId);
    return insert(identity, ctx, tx, { userId, projectId, type: body.type, plain });
  });
}

/** With new keys, for `openstack ec2 credentials create`. */
export async function createEc2(
  identity: Identity,
  ctx: Ctx,
  userId: string,
  projectId: string,
): Promise<OpenCredential> {
  requireFree(ctx);
  const plain = JSON.stringify({
    access: randomBytes(16).toString('hex'),
    secret: randomBytes(16).toString('hex'),
    trust_id: null,
  });
  return ctx.platform.db.tx(async (tx) => {
    await requireOwner(tx, ctx, userId);
    await requireProject(tx, ctx, userId, projectId);
    return insert(identity, ctx, tx, { userId, projectId, type: 'ec2', plain });
  });
}

export async function updateCredential(
  identity: Identity,
  ctx: Ctx,
  id: string,
  { credential: body }: Static<typeof updateCredentialBody>,
): Promise<OpenCredential> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await credentialFor(tx, ctx, id);
    const userId = body.user_id ?? row.user_id;
    if (userId !== row.user_id) await requireOwner(tx, ctx, userId);
    const projectId = body.project_id === undefined ? row.project_id : body.project_id;
    const type = body.type ?? row.type;
    const plain = body.blob === undefined ? opened(identity, row).plain : body.blob;
    requireBlob(type, plain);
    if (type === 'ec2' && projectId === null)
      throw badRequest('Invalid input for field project_id. An ec2 credential needs a project.');
    if (projectId !== null && (projectId !== row.project_id || userId !== row.user_id))
      await requireProject(tx, ctx, userId, projectId);
    const hash = type === 'ec2' ? accessHash(ec2Of(plain).access) : null;
    await requireFreeKey(tx, hash, id);
    const changed: CredentialRow = {
      ...row,
      user_id: userId,
      project_id: projectId,
      type,
      blob: identity.vault.seal(plain, id),
      access_hash: hash,
    };
    await tx.updateTable('credentials').set(changed).where('id', '=', id).execute();
    await audit(tx, ctx, 'credential', id);
    return { ...changed, plain };
  });
}

export async function deleteCredential(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await credentialFor(tx, ctx, id);
    await tx.deleteFrom('credentials').where('id', '=', row.id).execute();
    await audit(tx, ctx, 'credential', row.id);
  });
}
