// Security groups: schemas, visibility, JSON and verbs, and the default group of each project.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { claimQuota, ownedBy, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, truth, type ListSpec } from '../listing.ts';
import { sharedFilter, sharedWith, visible } from '../rbac/visible.ts';
import { deleteObject } from '../removal.ts';
import { chunks, flag, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import { ruleView } from './group-rules.ts';
import { ruleDigest, type Rule } from './rules.ts';
import type { SecurityGroupRow, SecurityGroupRuleRow } from './table.ts';

const groupUpdate = strict({
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  stateful: Type.Optional(Type.Boolean()),
});
const groupCreate = strict({
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  stateful: Type.Optional(Type.Boolean()),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});

const list: ListSpec = {
  noun: 'Security Group',
  plural: 'security_groups',
  table: 'security_groups',
  filters: {
    ...standardFilters('security_groups'),
    id: { by: 'text', column: 'security_groups.id', ref: 'security-group' },
    name: { by: 'text', column: 'security_groups.name' },
    stateful: { by: 'boolean', column: 'security_groups.stateful' },
    shared: {
      by: 'custom',
      where: (values, actor) =>
        sharedFilter('security_groups', truth('shared', values.at(-1) ?? '') === 1, actor),
    },
  },
  sortable: { ...standardSort, name: 'name', stateful: 'stateful' },
};

/** Own groups, and what is shared with the project. */
const rows = (db: Queries, actor: Actor) =>
  db.selectFrom('security_groups').selectAll('security_groups').where(visible('security_groups', actor));

export async function readableGroup(db: Queries, actor: Actor, id: string): Promise<SecurityGroupRow> {
  const row = await rows(db, actor).where('security_groups.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('Security Group', id);
  return row;
}

export const groupView = (
  row: SecurityGroupRow,
  rules: readonly SecurityGroupRuleRow[],
  tags: readonly string[],
  shared: boolean,
): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  stateful: row.stateful === 1,
  shared,
  security_group_rules: rules.map((rule) => ruleView(rule)),
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, ctx: Ctx, found: readonly SecurityGroupRow[]): Promise<object[]> {
  const ids = found.map((row) => row.id);
  const rules: SecurityGroupRuleRow[] = [];
  for (const part of chunks(ids))
    rules.push(
      ...(await db
        .selectFrom('security_group_rules')
        .selectAll()
        .where('security_group_id', 'in', part)
        .orderBy('created_at')
        .orderBy('id')
        .execute()),
    );
  const byGroup = Map.groupBy(rules, (rule) => rule.security_group_id);
  const tags = await tagsOf(db, ids);
  const shared = await sharedWith(db, ids, projectOf(ctx.actor));
  return found.map((row) =>
    groupView(row, byGroup.get(row.id) ?? [], tags.get(row.id) ?? [], shared.has(row.id)),
  );
}

/** The rules of a new group: everything out; the default group also lets its own members in. */
function initialRules(group: SecurityGroupRow): Rule[] {
  const open = {
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    given_prefix: null,
  };
  const versions = ['IPv4', 'IPv6'] as const;
  return [
    ...versions.map((ethertype): Rule => ({
      ...open,
      direction: 'egress',
      ethertype,
      remote_group_id: null,
    })),
    ...(group.default_of === null
      ? []
      : versions.map((ethertype): Rule => ({
          ...open,
          direction: 'ingress',
          ethertype,
          remote_group_id: group.id,
        }))),
  ];
}

/** Inserts the group with its first rules; returns how many those are. */
async function insertGroup(tx: Tx, ctx: Ctx, group: SecurityGroupRow): Promise<number> {
  const rules = initialRules(group).map((rule): SecurityGroupRuleRow => ({
    ...newRow(ctx, group.project_id, ''),
    ...rule,
    security_group_id: group.id,
    digest: ruleDigest(rule),
  }));
  await tx.insertInto('security_groups').values(group).execute();
  await tx.insertInto('security_group_rules').values(rules).execute();
  await ctx.platform.work.enqueue(tx, 'security-group', [group.id]);
  return rules.length;
}

/** The id of the project's default group, made at its first use. */
export async function defaultGroup(tx: Tx, ctx: Ctx, projectId: string): Promise<string> {
  const existing = await tx
    .selectFrom('security_groups')
    .select('id')
    .where('default_of', '=', projectId)
    .executeTakeFirst();
  if (existing !== undefined) return existing.id;
  const group: SecurityGroupRow = {
    ...newRow(ctx, projectId, 'Default security group'),
    name: 'default',
    stateful: 1,
    default_of: projectId,
  };
  const rules = await insertGroup(tx, ctx, group);
  // Counted but never refused: a project must be able to have its first port.
  await ctx.platform.quotas.release(tx, projectId, { security_group: -1, security_group_rule: -rules });
  return group.id;
}

async function beforeList(ctx: Ctx): Promise<void> {
  const projectId = projectOf(ctx.actor);
  if (projectId === '') return;
  const existing = await ctx.platform.db.read
    .selectFrom('security_groups')
    .select('id')
    .where('default_of', '=', projectId)
    .executeTakeFirst();
  if (existing === undefined)
    await ctx.platform.db.tx((tx) => defaultGroup(tx, ctx, projectId), {
      locks: [`default-group:${projectId}`],
    });
}

async function make(ctx: Ctx, inputs: Static<typeof groupCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => ownerOf(ctx, 'create_security_group', input));
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        await defaultGroup(tx, ctx, owner);
        if ((input.name ?? '').toLowerCase() === 'default')
          throw conflict('Default security group already exists.', 'SecurityGroupDefaultAlreadyExists');
        await claimQuota(tx, ctx, owner, { security_group: 1 });
        const group: SecurityGroupRow = {
          ...newRow(ctx, owner, input.description),
          name: input.name ?? '',
          stateful: flag(input.stateful ?? true),
          default_of: null,
        };
        await claimQuota(tx, ctx, owner, { security_group_rule: await insertGroup(tx, ctx, group) });
        await audit(tx, ctx, 'security-group', group.id);
        ids.push(group.id);
      }
      return ids;
    },
    { locks: owners.map(quotaLock) },
  );
}

const writableGroup = async (tx: Tx, ctx: Ctx, id: string, rule: string): Promise<SecurityGroupRow> =>
  ownedBy(ctx, await readableGroup(tx, ctx.actor, id), rule);

async function change(ctx: Ctx, id: string, input: Static<typeof groupUpdate>): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writableGroup(tx, ctx, id, 'update_security_group');
    if (row.default_of !== null && input.name !== undefined && input.name !== row.name)
      throw conflict('Updating default security group not allowed.', 'SecurityGroupCannotUpdateDefault');
    if (row.default_of === null && (input.name ?? '').toLowerCase() === 'default')
      throw conflict('Default security group already exists.', 'SecurityGroupDefaultAlreadyExists');
    if (input.stateful !== undefined && flag(input.stateful) !== row.stateful) await refuseInUse(tx, id);
    await tx
      .updateTable('security_groups')
      .set({
        name: input.name ?? row.name,
        description: input.description ?? row.description,
        stateful: flag(input.stateful ?? row.stateful === 1),
        ...touched(ctx, row),
      })
      .where('id', '=', id)
      .execute();
    await ctx.platform.work.enqueue(tx, 'security-group', [id]);
    await audit(tx, ctx, 'security-group', id);
  });
}

async function refuseInUse(tx: Tx, id: string): Promise<void> {
  const used = await tx
    .selectFrom('port_security_groups')
    .select('port_id')
    .where('security_group_id', '=', id)
    .limit(1)
    .executeTakeFirst();
  if (used !== undefined)
    throw conflict(`Security Group ${id} in use (e.g. by port ${used.port_id}).`, 'SecurityGroupInUse');
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writableGroup(tx, ctx, id, 'delete_security_group');
    if (row.default_of !== null && !isAdmin(ctx.actor))
      throw conflict(
        'Insufficient rights for removing default security group.',
        'SecurityGroupCannotRemoveDefault',
      );
    await refuseInUse(tx, id);
    // Rules of other groups that name this one allow nobody any more and go with it, as in Neutron.
    const rules = await tx
      .selectFrom('security_group_rules')
      .select(['id', 'project_id', 'security_group_id'])
      .where((eb) => eb.or([eb('security_group_id', '=', id), eb('remote_group_id', '=', id)]))
      .execute();
    for (const part of chunks(rules))
      await tx
        .deleteFrom('security_group_rules')
        .where(
          'id',
          'in',
          part.map((rule) => rule.id),
        )
        .execute();
    for (const [projectId, ofProject] of Map.groupBy(rules, (rule) => rule.project_id))
      await ctx.platform.quotas.release(tx, projectId, { security_group_rule: ofProject.length });
    const kind = { table: 'security_groups', kind: 'security-group', quota: 'security_group' } as const;
    await deleteObject(tx, ctx, kind, row);
    await ctx.platform.work.enqueue(tx, 'security-group', [
      id,
      ...rules.map((rule) => rule.security_group_id),
    ]);
    await ctx.platform.work.enqueue(tx, 'address-group', [id]);
  });
}

export const securityGroups: Collection<
  'security_groups',
  SecurityGroupRow,
  typeof groupCreate,
  typeof groupUpdate
> = {
  singular: 'security_group',
  path: '/v2.0/security-groups',
  kind: 'security-group',
  list,
  create: groupCreate,
  update: groupUpdate,
  rows,
  views,
  make,
  change,
  remove,
  beforeList,
  tags: true,
};
