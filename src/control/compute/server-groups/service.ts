// Server groups: which servers are to share a host, or not to. Membership is a column of the server.
import { audit } from '../../../kernel/audit.ts';
import type { Migration, Reader, Tx } from '../../../kernel/db/index.ts';
import { badRequest, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { canSee, projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import type { PlacementRequest } from '../../placement/index.ts';

export type GroupPolicy = NonNullable<PlacementRequest['group']>['policy'];
export type GroupRow = {
  id: string;
  project_id: string;
  user_id: string;
  name: string;
  policy: GroupPolicy;
  /** JSON object; only anti-affinity has one: max_server_per_host. */
  rules: string;
  created_at: number;
};
type Db = Pick<Reader, 'selectFrom'>;

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    server_groups: GroupRow;
  }
}

export const groupMigrations: Migration[] = [
  {
    id: 'compute-0004-server-groups',
    async up(db) {
      let groups = db.schema.createTable('server_groups').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['project_id', 'user_id', 'name', 'policy', 'rules'])
        groups = groups.addColumn(column, 'text', (c) => c.notNull());
      await groups.addColumn('created_at', 'bigint', (c) => c.notNull()).execute();
      await db.schema
        .createIndex('server_groups_project')
        .on('server_groups')
        .columns(['project_id', 'created_at'])
        .execute();
    },
  },
];

export async function findGroup(db: Db, ctx: Ctx, id: string): Promise<GroupRow> {
  const row = await db.selectFrom('server_groups').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || !canSee(ctx.actor, row.project_id)) throw notFound('Instance group', id);
  return row;
}

/** The members of each group, servers that are being deleted left out. */
export async function membersOf(db: Db, groupIds: readonly string[]): Promise<Map<string, string[]>> {
  const members = new Map<string, string[]>(groupIds.map((id) => [id, []]));
  for (let at = 0; at < groupIds.length; at += 500) {
    const rows = await db
      .selectFrom('servers')
      .select(['id', 'group_id'])
      .where('group_id', 'in', groupIds.slice(at, at + 500))
      .where('deleting', '=', 0)
      .orderBy('created_at')
      .execute();
    for (const row of rows) members.get(row.group_id ?? '')?.push(row.id);
  }
  return members;
}

/** The group that `added` new servers are to join: its policy and where its members are. 400 when it is not the project's. */
export async function groupForBoot(
  tx: Tx,
  ctx: Ctx,
  id: string,
  added: number,
): Promise<{ policy: GroupPolicy; hostIds: string[]; maxPerHost: number }> {
  const group = await tx
    .selectFrom('server_groups')
    .selectAll()
    .where('id', '=', id)
    .where('project_id', '=', projectOf(ctx.actor))
    .executeTakeFirst();
  if (group === undefined)
    throw badRequest(`Invalid input for field/attribute group. Instance group ${id} could not be found.`);
  const members = await tx
    .selectFrom('servers')
    .select('host_id')
    .where('group_id', '=', id)
    .where('deleting', '=', 0)
    .execute();
  const limit = (await ctx.platform.quotas.limits(tx, group.project_id))['server_group_members'] ?? -1;
  if (limit >= 0 && members.length + added > limit)
    throw forbidden(
      `Quota exceeded, too many servers in group: ${members.length} of ${limit} are in use, ${added} requested.`,
      'OverQuota',
    );
  return {
    policy: group.policy,
    hostIds: members.flatMap((one) => one.host_id ?? []),
    maxPerHost: rulesOf(group).max_server_per_host ?? 1,
  };
}

export const rulesOf = (row: Pick<GroupRow, 'rules'>): { max_server_per_host?: number } =>
  JSON.parse(row.rules) as { max_server_per_host?: number };

export async function createGroup(
  ctx: Ctx,
  name: string,
  policy: GroupPolicy,
  rules: { max_server_per_host?: number },
): Promise<GroupRow> {
  const projectId = projectOf(ctx.actor);
  if (projectId === '')
    throw badRequest('A server group belongs to a project: send a token that is scoped to one.');
  const row: GroupRow = {
    id: ctx.platform.ids.uuid(),
    project_id: projectId,
    user_id: ctx.actor.userId,
    name,
    policy,
    rules: JSON.stringify(rules),
    created_at: ctx.platform.clock.now(),
  };
  await ctx.platform.db.tx(
    async (tx) => {
      await ctx.platform.quotas.claim(tx, projectId, { server_groups: 1 });
      await tx.insertInto('server_groups').values(row).execute();
      await audit(tx, ctx, 'server-group', row.id);
    },
    { locks: [quotaLock(projectId)] },
  );
  return row;
}

export async function deleteGroup(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await findGroup(tx, ctx, id);
    await tx.deleteFrom('server_groups').where('id', '=', id).execute();
    await ctx.platform.quotas.release(tx, row.project_id, { server_groups: 1 });
    const members = await tx
      .selectFrom('servers')
      .select(['id', 'revision'])
      .where('group_id', '=', id)
      .execute();
    if (members.length > 0)
      await tx
        .updateTable('servers')
        .set((eb) => ({ group_id: null, revision: eb('revision', '+', 1) }))
        .where('group_id', '=', id)
        .execute();
    await audit(tx, ctx, 'server-group', id);
  });
}
