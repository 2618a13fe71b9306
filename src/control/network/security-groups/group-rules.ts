// Security group rules: schemas, JSON and verbs.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, integer, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { claimQuota, disallowed, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, type ListSpec } from '../listing.ts';
import { visible } from '../rbac/visible.ts';
import { newRow, tagsOf, type Queries } from '../rows.ts';
import { normalizeRule, ruleDigest } from './rules.ts';
import type { SecurityGroupRuleRow } from './table.ts';

const ruleCreate = strict({
  security_group_id: idOf('security-group'),
  direction: Type.Union([Type.Literal('ingress'), Type.Literal('egress')]),
  ethertype: Type.Optional(nullable(text(16))),
  protocol: Type.Optional(nullable(Type.Union([text(32), integer(0, 255)]))),
  // Which values make sense depends on the protocol: rules.ts says so in Neutron's words.
  port_range_min: Type.Optional(nullable(integer(-65536, 65536 * 2))),
  port_range_max: Type.Optional(nullable(integer(-65536, 65536 * 2))),
  remote_ip_prefix: Type.Optional(nullable(text(64))),
  remote_group_id: Type.Optional(nullable(idOf('security-group'))),
  remote_address_group_id: Type.Optional(Type.Null()),
  description: Type.Optional(text()),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});

const list: ListSpec = {
  noun: 'Security Group Rule',
  plural: 'security_group_rules',
  table: 'security_group_rules',
  filters: {
    ...standardFilters('security_group_rules'),
    id: { by: 'text', column: 'security_group_rules.id', ref: 'security-group-rule' },
    security_group_id: {
      by: 'text',
      column: 'security_group_rules.security_group_id',
      ref: 'security-group',
    },
    direction: { by: 'text', column: 'security_group_rules.direction' },
    ethertype: { by: 'text', column: 'security_group_rules.ethertype' },
    protocol: { by: 'text', column: 'security_group_rules.protocol' },
    port_range_min: { by: 'integer', column: 'security_group_rules.port_range_min' },
    port_range_max: { by: 'integer', column: 'security_group_rules.port_range_max' },
    remote_ip_prefix: { by: 'text', column: 'security_group_rules.remote_ip_prefix' },
    remote_group_id: { by: 'text', column: 'security_group_rules.remote_group_id', ref: 'security-group' },
  },
  sortable: {
    ...standardSort,
    security_group_id: 'security_group_id',
    direction: 'direction',
    ethertype: 'ethertype',
  },
};

const rows = (db: Queries, actor: Actor) =>
  db
    .selectFrom('security_group_rules')
    .selectAll('security_group_rules')
    .$if(!isAdmin(actor), (query) => query.where('security_group_rules.project_id', '=', projectOf(actor)));

export const ruleView = (row: SecurityGroupRuleRow, tags: readonly string[] = []): object => ({
  id: row.id,
  tenant_id: row.project_id,
  project_id: row.project_id,
  security_group_id: row.security_group_id,
  direction: row.direction,
  ethertype: row.ethertype,
  protocol: row.protocol,
  port_range_min: row.port_range_min,
  port_range_max: row.port_range_max,
  remote_ip_prefix: row.given_prefix ?? row.remote_ip_prefix,
  remote_group_id: row.remote_group_id,
  remote_address_group_id: null,
  normalized_cidr: row.remote_ip_prefix,
  description: row.description,
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, _ctx: Ctx, found: readonly SecurityGroupRuleRow[]): Promise<object[]> {
  const tags = await tagsOf(
    db,
    found.map((row) => row.id),
  );
  return found.map((row) => ruleView(row, tags.get(row.id) ?? []));
}

/** A group that the actor may name in a rule: its own, and what is shared with it. */
async function requireGroup(tx: Tx, actor: Actor, id: string): Promise<{ project_id: string }> {
  const group = await tx
    .selectFrom('security_groups')
    .select('project_id')
    .where('id', '=', id)
    .where(visible('security_groups', actor))
    .executeTakeFirst();
  if (group === undefined) throw notFound('Security Group', id);
  return group;
}

async function make(ctx: Ctx, inputs: Static<typeof ruleCreate>[]): Promise<string[]> {
  const rules = inputs.map(normalizeRule);
  for (const input of inputs) ownerOf(ctx, 'create_security_group_rule', input);
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, rule] of rules.entries()) {
        const input = inputs[at];
        if (input === undefined) continue;
        const group = await requireGroup(tx, ctx.actor, input.security_group_id);
        if (!isAdmin(ctx.actor) && group.project_id !== projectOf(ctx.actor))
          throw disallowed('create_security_group_rule');
        if (rule.remote_group_id !== null) await requireGroup(tx, ctx.actor, rule.remote_group_id);
        const row: SecurityGroupRuleRow = {
          ...newRow(ctx, group.project_id, input.description),
          ...rule,
          security_group_id: input.security_group_id,
          digest: ruleDigest(rule),
        };
        const same = await tx
          .selectFrom('security_group_rules')
          .select('id')
          .where('security_group_id', '=', row.security_group_id)
          .where('digest', '=', row.digest)
          .executeTakeFirst();
        if (same !== undefined)
          throw conflict(
            `Security group rule already exists. Rule id is ${same.id}.`,
            'SecurityGroupRuleExists',
          );
        await claimQuota(tx, ctx, group.project_id, { security_group_rule: 1 });
        await tx.insertInto('security_group_rules').values(row).execute();
        await touchGroup(tx, ctx, row.security_group_id);
        if (rule.remote_group_id !== null)
          await ctx.platform.work.enqueue(tx, 'address-group', [rule.remote_group_id]);
        await audit(tx, ctx, 'security-group-rule', row.id);
        ids.push(row.id);
      }
      return ids;
    },
    { locks: [quotaLock(projectOf(ctx.actor))] },
  );
}

async function touchGroup(tx: Tx, ctx: Ctx, groupId: string): Promise<void> {
  await tx
    .updateTable('security_groups')
    .set((eb) => ({ revision: eb('revision', '+', 1), updated_at: ctx.platform.clock.now() }))
    .where('id', '=', groupId)
    .execute();
  await ctx.platform.work.enqueue(tx, 'security-group', [groupId]);
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await rows(tx, ctx.actor).where('security_group_rules.id', '=', id).executeTakeFirst();
    if (row === undefined) throw notFound('Security Group Rule', id);
    await tx.deleteFrom('security_group_rules').where('id', '=', id).execute();
    await ctx.platform.quotas.release(tx, row.project_id, { security_group_rule: 1 });
    await touchGroup(tx, ctx, row.security_group_id);
    if (row.remote_group_id !== null)
      await ctx.platform.work.enqueue(tx, 'address-group', [row.remote_group_id]);
    await audit(tx, ctx, 'security-group-rule', id);
  });
}

export const securityGroupRules: Collection<
  'security_group_rules',
  SecurityGroupRuleRow,
  typeof ruleCreate,
  never
> = {
  singular: 'security_group_rule',
  path: '/v2.0/security-group-rules',
  kind: 'security-group-rule',
  list,
  create: ruleCreate,
  update: null,
  rows,
  views,
  make,
  remove,
  tags: false,
};
