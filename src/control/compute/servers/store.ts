// The one place that writes server rows: each write renews revision, updated_at and what is derived.
import { notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee } from '../../../kernel/policy.ts';
import { stateOf } from './status.ts';
import type { Db, ServerActionRow, ServerRow } from './table.ts';

/** The server, when the actor may see it; 404 otherwise. */
export async function findServer(db: Db, ctx: Ctx, id: string): Promise<ServerRow> {
  const row = await db.selectFrom('servers').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('Instance', id);
  return row;
}

export async function insertServers(
  tx: Tx,
  rows: readonly Omit<ServerRow, 'status' | 'vm_state'>[],
): Promise<ServerRow[]> {
  const complete = rows.map((row): ServerRow => {
    const { status, vmState } = stateOf(row);
    return { ...row, status, vm_state: vmState };
  });
  for (let at = 0; at < complete.length; at += 100)
    await tx
      .insertInto('servers')
      .values(complete.slice(at, at + 100))
      .execute();
  return complete;
}

/** Applies `changes` to the row as it was read in this transaction; returns the row as it is now. */
export async function saveServer(
  tx: Tx,
  row: ServerRow,
  changes: Partial<ServerRow>,
  now: number,
): Promise<ServerRow> {
  const next: ServerRow = { ...row, ...changes, revision: row.revision + 1, updated_at: now };
  const { status, vmState } = stateOf(next);
  next.status = status;
  next.vm_state = vmState;
  await tx
    .updateTable('servers')
    .set({ ...changes, revision: next.revision, updated_at: now, status, vm_state: vmState })
    .where('id', '=', row.id)
    .execute();
  return next;
}

/** Begins an entry of the server's history; it ends when `version` is observed, or at once when `done`. */
export async function recordAction(
  tx: Tx,
  ctx: Pick<Ctx, 'platform' | 'requestId'> & { actor: Pick<Ctx['actor'], 'userId'> },
  row: Pick<ServerRow, 'id' | 'project_id' | 'host_id' | 'desired_version'>,
  action: string,
  outcome: { done: boolean; message?: string } = { done: false },
): Promise<void> {
  const now = ctx.platform.clock.now();
  const entry: ServerActionRow = {
    id: ctx.platform.ids.uuid(),
    server_id: row.id,
    action,
    version: row.desired_version,
    request_id: ctx.requestId,
    user_id: ctx.actor.userId,
    project_id: row.project_id,
    started_at: now,
    finished_at: outcome.done ? now : null,
    result: outcome.done ? 'Success' : null,
    message: outcome.message ?? null,
    host_id: row.host_id,
  };
  await tx.insertInto('server_actions').values(entry).execute();
}
