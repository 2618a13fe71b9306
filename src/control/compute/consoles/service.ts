// Who gets a console of which server: a token is made for one user, server and kind of console, is good for
// TOKEN_MS and opens one WebSocket. Rights and the server are looked at again when it is used.
import { createHash, randomBytes } from 'node:crypto';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { anonymous, projectOf, type Rights } from '../../../kernel/policy.ts';
import type { ConsoleKind } from '../../../protocol/link.ts';
import { hostFacts } from '../../host/index.ts';
import { stateOf } from '../servers/status.ts';
import { findServer } from '../servers/store.ts';
import type { ServerRow } from '../servers/table.ts';
import type { ConsoleTokenRow } from './table.ts';

/** Milliseconds in which a token has to be used: enough to copy its address from a terminal into a browser. */
export const TOKEN_MS = 120_000;

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

const kindOf: Readonly<Record<string, ConsoleKind>> = { novnc: 'vnc', serial: 'serial', shell: 'shell' };
const offered: Readonly<Record<string, string>> = {
  vm: 'a virtual machine, which has novnc and serial',
  container: 'a container, which has shell',
};

/** Where a guest runs that can be looked at; 409 with what to do where it does not. */
function runningOn(row: ServerRow, kind: ConsoleKind): string {
  const { status } = stateOf(row);
  // A virtual machine that is paused shows its last screen; in a container that is paused no shell would start.
  const shown = kind === 'shell' ? ['running'] : ['running', 'paused'];
  if (row.host_id === null || row.deleting === 1 || !shown.includes(row.observed_power ?? ''))
    throw conflict(
      `Instance ${row.id} is not ready: it is ${status}, and has a console only while its guest runs.`,
    );
  return row.host_id;
}

/**
 * `type` as the API names it. 400: this server, or its host, has no such console; 409: its guest does not run.
 * Returns the token, which nobody can be told again.
 */
export async function createConsole(ctx: Ctx, serverId: string, type: string): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const { actor, platform } = ctx;
  const now = platform.clock.now();
  await platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    const kind = kindOf[type];
    if (kind === undefined || (kind === 'shell') !== (row.type === 'container'))
      throw badRequest(
        `Unavailable console type ${type}. Instance ${row.id} is ${offered[row.type]}.`,
        'ConsoleTypeUnavailable',
      );
    const facts = await hostFacts(tx, runningOn(row, kind));
    if (facts?.guests.find((guest) => guest.type === row.type)?.capabilities.includes(kind) !== true)
      throw badRequest(
        `Unavailable console type ${type}. The host of instance ${row.id} does not offer it.`,
        'ConsoleTypeUnavailable',
      );
    await tx.deleteFrom('console_tokens').where('expires_at', '<=', now).execute();
    await tx
      .insertInto('console_tokens')
      .values({
        token_hash: hashOf(token),
        server_id: row.id,
        kind,
        user_id: actor.userId,
        project_id: projectOf(actor),
        rights: actor.rights === undefined ? null : JSON.stringify(actor.rights),
        request_id: ctx.requestId,
        expires_at: now + TOKEN_MS,
      })
      .execute();
    await audit(tx, ctx, 'server', row.id);
  });
  return token;
}

const validToken = (db: Pick<Tx, 'selectFrom'>, token: string, now: number) =>
  db
    .selectFrom('console_tokens')
    .selectAll()
    .where('token_hash', '=', hashOf(token))
    .where('expires_at', '>', now)
    .executeTakeFirst();

/** The server of a token that could be used now; null: there is no such token. */
export async function serverOfToken(platform: Platform, token: string): Promise<string | null> {
  if (!TOKEN.test(token)) return null;
  return (await validToken(platform.db.read, token, platform.clock.now()))?.server_id ?? null;
}

export type OpenConsole = Pick<ConsoleTokenRow, 'kind' | 'user_id' | 'request_id'> & {
  serverId: string;
  hostId: string;
  /** Of the server as it was when the console was opened: a rebuilt server is another one. */
  rebuilds: number;
  rights: Rights | null;
};

/** Uses the token up. Throws CloudError: 404 there is no such token (any more), 403 its user has lost access, 409 the guest does not run. */
export async function redeemToken(
  platform: Platform,
  stillHolds: (rights: Rights) => boolean,
  token: string,
): Promise<OpenConsole> {
  const unknown = new CloudError(
    404,
    'TokenNotFound',
    'The console token is not valid: it was used, has expired or never was one. Ask for another console.',
  );
  if (!TOKEN.test(token)) throw unknown;
  // What a token is refused for does not give it back: its use is committed, the refusal comes after.
  const used = await platform.db.tx(async (tx) => {
    const row = await validToken(tx, token, platform.clock.now());
    if (row === undefined) return null;
    const gone = await tx
      .deleteFrom('console_tokens')
      .where('token_hash', '=', row.token_hash)
      .executeTakeFirst();
    if (Number(gone.numDeletedRows) !== 1) return null;
    const server = await tx
      .selectFrom('servers')
      .selectAll()
      .where('id', '=', row.server_id)
      .executeTakeFirst();
    const rights = row.rights === null ? null : (JSON.parse(row.rights) as Rights);
    const holds = rights === null || stillHolds(rights);
    if (server !== undefined && holds) await audit(tx, openerOf(platform, row), 'server', server.id);
    return { row, server, rights, holds };
  });
  if (used === null || used.server === undefined) throw unknown;
  const { row, server, rights } = used;
  if (!used.holds)
    throw new CloudError(403, 'Forbidden', 'Who asked for this console has lost the right to it since.');
  return {
    kind: row.kind,
    user_id: row.user_id,
    request_id: row.request_id,
    serverId: server.id,
    hostId: runningOn(server, row.kind),
    rebuilds: server.rebuild_count,
    rights,
  };
}

/** Whoever opens a WebSocket has shown nothing but the token: the record names the user whom it was made for. */
const openerOf = (platform: Platform, row: ConsoleTokenRow): Ctx => ({
  platform,
  actor: {
    ...anonymous,
    userId: row.user_id,
    scope:
      row.project_id === ''
        ? { type: 'unscoped' }
        : { type: 'project', id: row.project_id, name: '', domainId: '', domainName: '' },
  },
  requestId: row.request_id,
  microversion: 0,
  action: 'compute:servers:remote-console:open',
});
