// RBAC policies: schemas, JSON and verbs.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf, type Actor } from '../../../kernel/policy.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, strict, text } from '../../../kernel/schema.ts';
import type { Collection } from '../collection.ts';
import { claimQuota, disallowed, invalidInput, ownerOf } from '../faults.ts';
import type { ListSpec } from '../listing.ts';
import { makeExternal } from '../networks/networks.ts';
import type { Queries } from '../rows.ts';
import { kindOf, shareables, type Shareable } from './shareables.ts';
import { deletePolicy, policyInUse, refuseWhileUsed } from './sharing.ts';
import type { RbacPolicyRow } from './table.ts';
import { EVERYBODY, EXTERNAL, SHARED } from './visible.ts';

// Any project may be named, also one that the caller cannot see: it is whom to share with, not what to read.
const target = text(255, 1);
const policyCreate = strict({
  object_type: Type.Union(Object.keys(shareables).map((name) => Type.Literal(name))),
  object_id: idOf('network'),
  action: Type.Union([Type.Literal(SHARED), Type.Literal(EXTERNAL)]),
  target_tenant: target,
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
});
const policyUpdate = strict({ target_tenant: target });

const list: ListSpec = {
  noun: 'RBAC policy',
  plural: 'rbac_policies',
  table: 'network_rbac',
  filters: {
    id: { by: 'text', column: 'network_rbac.id', ref: 'rbac-policy' },
    project_id: { by: 'text', column: 'network_rbac.project_id', ref: 'project' },
    tenant_id: { by: 'text', column: 'network_rbac.project_id', ref: 'project' },
    object_type: { by: 'text', column: 'network_rbac.object_type' },
    object_id: { by: 'text', column: 'network_rbac.object_id', ref: 'network' },
    action: { by: 'text', column: 'network_rbac.action' },
    target_tenant: { by: 'text', column: 'network_rbac.target' },
  },
  sortable: {
    id: 'id',
    project_id: 'project_id',
    object_type: 'object_type',
    object_id: 'object_id',
    action: 'action',
    target_tenant: 'target',
  },
};

/** Own policies; what others share with a project it sees by the objects. */
const rows = (db: Queries, actor: Actor) =>
  db
    .selectFrom('network_rbac')
    .selectAll('network_rbac')
    .$if(!isAdmin(actor), (query) => query.where('network_rbac.project_id', '=', projectOf(actor)));

async function readablePolicy(db: Queries, actor: Actor, id: string): Promise<RbacPolicyRow> {
  const row = await rows(db, actor).where('network_rbac.id', '=', id).executeTakeFirst();
  if (row === undefined) throw notFound('RBAC policy', id);
  return row;
}

export const policyView = (row: RbacPolicyRow): object => ({
  id: row.id,
  tenant_id: row.project_id,
  project_id: row.project_id,
  object_type: row.object_type,
  object_id: row.object_id,
  action: row.action,
  target_tenant: row.target,
});

/** The project that owns the object; 404 when the actor may not even read it. */
async function ownerOfObject(db: Queries, actor: Actor, type: Shareable, id: string): Promise<string> {
  const kind = kindOf(type);
  const found = await kind.owner(db, actor, id);
  if (found === undefined) throw notFound(kind.noun, id);
  return found.project_id;
}

function checkTarget(ctx: Ctx, rule: string, wanted: string): void {
  if (wanted === EVERYBODY && !isAdmin(ctx.actor)) throw disallowed(`${rule}:target_tenant`);
}

async function checkObject(ctx: Ctx, tx: Tx, input: Static<typeof policyCreate>): Promise<Shareable> {
  const type = input.object_type as Shareable;
  const actions = Object.keys(kindOf(type).uses);
  if (!actions.includes(input.action))
    throw badRequest(
      `Invalid action '${input.action}' for object type '${type}'. Valid actions: ${actions.join(', ')}.`,
      'InvalidAction',
    );
  const owner = await ownerOfObject(tx, ctx.actor, type, input.object_id);
  if (!isAdmin(ctx.actor) && owner !== projectOf(ctx.actor))
    throw invalidInput('Only admins can manipulate policies on objects they do not own');
  // Guests of an external network stand on the provider's own link: that is for operators to give.
  if (!isAdmin(ctx.actor) && input.action === EXTERNAL) throw disallowed('create_rbac_policy:action');
  return type;
}

async function make(ctx: Ctx, inputs: Static<typeof policyCreate>[]): Promise<string[]> {
  const owners = inputs.map((input) => {
    checkTarget(ctx, 'create_rbac_policy', input.target_tenant);
    return ownerOf(ctx, 'create_rbac_policy', input);
  });
  return ctx.platform.db.tx(
    async (tx) => {
      const ids: string[] = [];
      for (const [at, input] of inputs.entries()) {
        const owner = owners[at] ?? '';
        const type = await checkObject(ctx, tx, input);
        if (input.action === EXTERNAL) await makeExternal(tx, ctx, input.object_id);
        await claimQuota(tx, ctx, owner, { rbac_policy: 1 });
        const row: RbacPolicyRow = {
          id: ctx.platform.ids.uuid(),
          project_id: owner,
          object_type: type,
          object_id: input.object_id,
          action: input.action,
          target: input.target_tenant,
          counted: 1,
        };
        await refuseDuplicate(tx, row);
        await tx.insertInto('network_rbac').values(row).execute();
        await audit(tx, ctx, 'rbac-policy', row.id);
        ids.push(row.id);
      }
      return ids;
    },
    { locks: [...owners.map(quotaLock), ...inputs.map((input) => `rbac:${input.object_id}`)] },
  );
}

async function refuseDuplicate(tx: Tx, row: RbacPolicyRow): Promise<void> {
  const other = await tx
    .selectFrom('network_rbac')
    .select('id')
    .where('object_id', '=', row.object_id)
    .where('action', '=', row.action)
    .where('target', '=', row.target)
    .where('id', '!=', row.id)
    .executeTakeFirst();
  if (other !== undefined)
    throw conflict(
      `An RBAC policy already exists with those values: ${row.action} of ${row.object_type} ${row.object_id} for ${row.target}.`,
      'DuplicatePolicy',
    );
}

/** Throws 409 while the target uses what it would lose. */
async function refuseLoss(tx: Tx, ctx: Ctx, row: RbacPolicyRow): Promise<void> {
  const type = row.object_type as Shareable;
  const owner = await kindOf(type).owner(tx, ctx.actor, row.object_id);
  await refuseWhileUsed(
    tx,
    { type, objectId: row.object_id, action: row.action, target: row.target },
    owner?.project_id ?? row.project_id,
    policyInUse(row.object_id),
  );
}

async function change(ctx: Ctx, id: string, input: Static<typeof policyUpdate>): Promise<void> {
  checkTarget(ctx, 'update_rbac_policy', input.target_tenant);
  await ctx.platform.db.tx(async (tx) => {
    const row = await readablePolicy(tx, ctx.actor, id);
    if (input.target_tenant !== row.target) {
      await refuseDuplicate(tx, { ...row, target: input.target_tenant });
      if (input.target_tenant !== EVERYBODY) await refuseLoss(tx, ctx, row);
    }
    await tx.updateTable('network_rbac').set({ target: input.target_tenant }).where('id', '=', id).execute();
    await audit(tx, ctx, 'rbac-policy', id);
  });
}

async function remove(ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await readablePolicy(tx, ctx.actor, id);
    await refuseLoss(tx, ctx, row);
    await deletePolicy(tx, ctx, row);
    await audit(tx, ctx, 'rbac-policy', id);
  });
}

export const rbacPolicies: Collection<
  'network_rbac',
  RbacPolicyRow,
  typeof policyCreate,
  typeof policyUpdate
> = {
  singular: 'rbac_policy',
  path: '/v2.0/rbac-policies',
  kind: 'rbac-policy',
  list,
  create: policyCreate,
  update: policyUpdate,
  rows,
  views: async (_db, _ctx, found) => found.map(policyView),
  make,
  change,
  remove,
  tags: false,
};
