// QoS policies: schemas, JSON and verbs.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { adminOnly, claimQuota, ownedBy, ownerOf } from '../faults.ts';
import { standardFilters, standardSort, truth, type ListSpec } from '../listing.ts';
import { policyInUse, refuseWhileUsed, shareWithEverybody, unshare } from '../rbac/sharing.ts';
import { EVERYBODY, SHARED, sharedFilter, sharedWith } from '../rbac/visible.ts';
import { deleteObject } from '../removal.ts';
import { chunks, flag, newRow, tagsOf, touched, type Queries } from '../rows.ts';
import { readablePolicy, visiblePolicies } from './bindings.ts';
import { ruleInPolicy } from './rules.ts';
import type { QosPolicyRow, QosRuleRow } from './table.ts';

const changeable = {
  name: Type.Optional(text()),
  description: Type.Optional(text()),
  shared: Type.Optional(Type.Boolean()),
  is_default: Type.Optional(Type.Boolean()),
};
const policyUpdate = strict(changeable);
const policyCreate = strict({
  ...changeable,
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});

const list: ListSpec = {
  noun: 'QoS policy',
  plural: 'policies',
  table: 'qos_policies',
  filters: {
    ...standardFilters('qos_policies'),
    id: { by: 'text', column: 'qos_policies.id', ref: 'qos-policy' },
    name: { by: 'text', column: 'qos_policies.name' },
    is_default: { by: 'boolean', column: 'qos_policies.is_default' },
    shared: {
      by: 'custom',
      where: (values, actor) =>
        sharedFilter('qos_policies', truth('shared', values.at(-1) ?? '') === 1, actor),
    },
  },
  sortable: { ...standardSort, name: 'name' },
};

const policyView = (
  row: QosPolicyRow,
  rules: readonly QosRuleRow[],
  tags: readonly string[],
  shared: boolean,
): object => ({
  id: row.id,
  name: row.name,
  tenant_id: row.project_id,
  project_id: row.project_id,
  description: row.description,
  shared,
  is_default: row.is_default === 1,
  rules: rules.map(ruleInPolicy),
  tags,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

async function views(db: Queries, ctx: Ctx, found: readonly QosPolicyRow[]): Promise<object[]> {
  const ids = found.map((row) => row.id);
  const tags = await tagsOf(db, ids);
  const shared = await sharedWith(db, ids, projectOf(ctx.actor));
  const rules: QosRuleRow[] = [];
  for (const part of chunks(ids))
    rules.push(
      ...(await db
        .selectFrom('qos_rules')
        .selectAll()
        .where('qos_policy_id', 'in', part)
        .orderBy('created_at')
        .orderBy('id')
        .execute()),
    );
  const rulesOf = Map.groupBy(rules, (rule) => rule.qos_policy_id);
  return found.map((row) =>
    policyView(row, rulesOf.get(row.id) ?? [], tags.get(row.id) ?? [], shared.has(row.id)),
  );
}

/** A visible policy is its project's to change. */
export async function writablePolicy(tx: Tx, ctx: Ctx, id: string, rule: string): Promise<QosPolicyRow> {
  return ownedBy(ctx, await readablePolicy(tx, ctx.actor, id), rule);
}

async function refuseSecondDefault(tx: Tx, row: QosPolicyRow): Promise<void> {
  const other = await tx
    .selectFrom('qos_policies')
    .select('id')
    .where('project_id', '=', row.project_id)
    .where('is_default', '=', 1)
    .where('id', '!=', row.id)
    .executeTakeFirst();
  if (other !== undefined)
    throw conflict(
      `A default QoS policy exists for project ${row.project_id} (${other.id}).`,
      'QoSPolicyDefaultAlreadyExists',
    );
}

const defaultLock = (projectId: string): string => `qos-default:${projectId}`;

async function make(ctx: Ctx, inputs: Static<typeof policyCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    adminOnly(ctx, 'create_policy', input, ['shared']);
    return ownerOf(ctx, 'create_policy', input);
  });
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        await claimQuota(tx, ctx, owner, { qos_policy: 1 });
        const row: QosPolicyRow = {
          ...newRow(ctx, owner, input.description),
          name: input.name ?? '',
          is_default: flag(input.is_default ?? false),
        };
        if (row.is_default === 1) await refuseSecondDefault(tx, row);
        await tx.insertInto('qos_policies').values(row).execute();
        if (input.shared === true) await shareWithEverybody(tx, ctx, 'qos_policy', row);
        await audit(tx, ctx, 'qos-policy', row.id);
        ids.push(row.id);
      }
      return ids;
    },
    { locks: owners.flatMap((owner) => [quotaLock(owner), defaultLock(owner)]) },
  );
}

async function change(ctx: Ctx, id: string, input: Static<typeof policyUpdate>): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writablePolicy(tx, ctx, id, 'update_policy');
    adminOnly(ctx, 'update_policy', input, ['shared']);
    const next: QosPolicyRow = {
      ...row,
      name: input.name ?? row.name,
      description: input.description ?? row.description,
      is_default: flag(input.is_default ?? row.is_default === 1),
      ...touched(ctx, row),
    };
    if (next.is_default === 1) await refuseSecondDefault(tx, next);
    await tx.updateTable('qos_policies').set(next).where('id', '=', id).execute();
    if (input.shared === true) await shareWithEverybody(tx, ctx, 'qos_policy', row);
    if (input.shared === false) {
      await refuseWhileUsed(
        tx,
        { type: 'qos_policy', objectId: id, action: SHARED, target: EVERYBODY },
        row.project_id,
        policyInUse(id),
      );
      await unshare(tx, ctx, id, { action: SHARED, target: EVERYBODY });
    }
    await audit(tx, ctx, 'qos-policy', id);
  });
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await writablePolicy(tx, ctx, id, 'delete_policy');
    const used = await tx
      .selectFrom('qos_bindings')
      .selectAll()
      .where('qos_policy_id', '=', id)
      .limit(1)
      .executeTakeFirst();
    if (used !== undefined)
      throw conflict(`QoS Policy ${id} is used by ${used.object_type} ${used.object_id}.`, 'QosPolicyInUse');
    await tx.deleteFrom('qos_rules').where('qos_policy_id', '=', id).execute();
    await deleteObject(tx, ctx, { table: 'qos_policies', kind: 'qos-policy', quota: 'qos_policy' }, row);
  });
}

export const qosPolicies: Collection<'qos_policies', QosPolicyRow, typeof policyCreate, typeof policyUpdate> =
  {
    singular: 'policy',
    path: '/v2.0/qos/policies',
    kind: 'qos-policy',
    list,
    create: policyCreate,
    update: policyUpdate,
    rows: visiblePolicies,
    views,
    make,
    change,
    remove,
    tags: true,
  };
