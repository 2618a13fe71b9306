// Credentials in, token out. Every failure that has to do with who somebody is says the same, so that
// nobody learns which users, domains or projects exist.
import type { Platform } from '../../../kernel/platform.ts';
import type { ApplicationCredentialRow } from '../application-credentials/table.ts';
import type { Identity } from '../identity.ts';
import { noteActivity } from '../users/lockout.ts';
import { isForgotten } from '../users/passwords.ts';
import type { Claims } from './codec.ts';
import { activeUser, projectBy, refused } from './lookup.ts';
import { prove } from './proofs.ts';
import { isEnough, methodsOf, receiptReply, rulesOf } from './receipts.ts';
import type { AuthBody } from './schema.ts';
import { onProject, resolveScope, scopeOfCredential, type Scoped } from './scope.ts';

export type Issued = { token: string; claims: Claims };
export type LoginReply = Issued | { receipt: ReturnType<typeof receiptReply> };

/** To be read first of all: what changes while the rest is read must revoke what comes of it. */
async function startSequence(identity: Identity, platform: Platform): Promise<number> {
  if (!identity.revocations.loaded()) await identity.revocations.load();
  return identity.revocations.sequence(platform.db.read);
}

async function issue(
  identity: Identity,
  platform: Platform,
  who: { userId: string; methods: readonly string[]; parent: Claims | null },
  sequence: number,
  { until, user: other, ...scoped }: Scoped,
): Promise<Issued> {
  const active = await activeUser(platform.db.read, other?.id ?? who.userId);
  if (active === undefined) throw refused();
  const { user, domain } = active;
  return identity.tokens.issue(
    {
      ...scoped,
      user: { id: user.id, name: user.name, domainId: domain.id, domainName: domain.name },
      methods: who.methods,
      sequence,
      ...(user.password_expires_at === null ? {} : { passwordExpiresAt: user.password_expires_at }),
    },
    who.parent,
    until,
  );
}

export async function login(
  identity: Identity,
  platform: Platform,
  from: { address: string; receipt: string | string[] | undefined },
  body: AuthBody,
): Promise<LoginReply> {
  const sequence = await startSequence(identity, platform);
  const who = await prove(identity, platform, from.address, body.identity);
  const active = await activeUser(platform.db.read, who.userId);
  if (active === undefined || isForgotten(identity.rules, active.user, platform.clock.now())) throw refused();
  const methods = [...new Set([...methodsOf(identity, platform, from.receipt, who.userId), ...who.methods])];
  if (!isEnough(rulesOf(active.user), methods))
    return { receipt: receiptReply(identity, platform, active, methods, sequence) };
  const scoped =
    who.credential === null
      ? await resolveScope(platform, active.user, body.scope)
      : await scopeOfCredential(platform, who.credential, body.scope);
  await noteActivity(identity, platform, active.user);
  return issue(identity, platform, { ...who, methods }, sequence, scoped);
}

/** For who has proven to have the secret of an EC2 credential: a token for its project, within what it was made from. */
export async function loginBySignature(
  identity: Identity,
  platform: Platform,
  method: string,
  prove: () => Promise<{
    userId: string;
    projectId: string;
    credential: ApplicationCredentialRow | null;
  }>,
): Promise<Issued> {
  const sequence = await startSequence(identity, platform);
  const { userId, projectId, credential } = await prove();
  const rows = platform.db.read;
  const project = await projectBy(rows, { id: projectId });
  const scoped =
    credential === null
      ? await onProject(rows, userId, project)
      : await scopeOfCredential(platform, credential, { project: { id: projectId } });
  if (scoped === null) throw refused();
  return issue(identity, platform, { userId, methods: [method], parent: null }, sequence, scoped);
}
