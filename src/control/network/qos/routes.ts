// The verbs and routes of rules: below their policy, by themselves (the alias API), and the kinds that there are.
import type { TObject } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { CloudError, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import type { Actor } from '../../../kernel/policy.ts';
import { strict } from '../../../kernel/schema.ts';
import type { ListSpec } from '../listing.ts';
import { childRow, nestedRoutes, type Nested } from '../nested.ts';
import { touched, type Queries } from '../rows.ts';
import { readablePolicy, visiblePolicies } from './bindings.ts';
import { writablePolicy } from './policies.ts';
import { ruleKinds, type RuleKind } from './rules.ts';
import type { QosRuleRow } from './table.ts';

const listOf = (kind: RuleKind): ListSpec => ({
  noun: 'QoS rule',
  plural: `${kind.type}_rules`,
  table: 'qos_rules',
  filters: {
    id: { by: 'text', column: 'qos_rules.id', ref: ruleResource(kind) },
    ...(kind.type === 'dscp_marking'
      ? { dscp_mark: { by: 'integer', column: 'qos_rules.dscp_mark' } as const }
      : {
          max_kbps: { by: 'integer', column: 'qos_rules.max_kbps' } as const,
          max_burst_kbps: { by: 'integer', column: 'qos_rules.max_burst_kbps' } as const,
          direction: { by: 'text', column: 'qos_rules.direction' } as const,
        }),
  },
  sortable: { id: 'id', max_kbps: 'max_kbps', direction: 'direction', dscp_mark: 'dscp_mark' },
});

/** Name of the resource kind for ids. */
const ruleResource = (kind: RuleKind): string =>
  kind.type === 'dscp_marking' ? 'qos-dscp-rule' : 'qos-bandwidth-rule';

const childrenOf = (kind: RuleKind) => async (db: Queries, actor: Actor, policyId: string) => {
  const policy = await readablePolicy(db, actor, policyId);
  return db
    .selectFrom('qos_rules')
    .selectAll('qos_rules')
    .where('qos_rules.qos_policy_id', '=', policy.id)
    .where('qos_rules.type', '=', kind.type);
};

/** The policy changed: so does what hosts are told of all that it holds for. */
async function touch(tx: Tx, ctx: Ctx, policyId: string, ruleId: string): Promise<void> {
  const policy = await tx
    .selectFrom('qos_policies')
    .select('revision')
    .where('id', '=', policyId)
    .executeTakeFirstOrThrow();
  await tx.updateTable('qos_policies').set(touched(ctx, policy)).where('id', '=', policyId).execute();
  await ctx.platform.work.enqueue(tx, 'qos', [policyId]);
  await audit(tx, ctx, 'qos-rule', ruleId);
}

/** One limit a direction, and one mark. */
async function refuseSecond(tx: Tx, row: QosRuleRow): Promise<void> {
  const other = await tx
    .selectFrom('qos_rules')
    .select('id')
    .where('qos_policy_id', '=', row.qos_policy_id)
    .where('type', '=', row.type)
    .where('direction', '=', row.direction)
    .where('id', '!=', row.id)
    .executeTakeFirst();
  if (other !== undefined)
    throw conflict(
      `Rule ${row.type} conflicts with rule ${other.id} which already exists in QoS Policy ${row.qos_policy_id}${row.direction === '' ? '' : ` for the direction ${row.direction}`}.`,
      'QoSRulesConflict',
    );
}

function ruleResourceOf(kind: RuleKind): Nested<'qos_rules', QosRuleRow, TObject, TObject> {
  const list = listOf(kind);
  const rows = childrenOf(kind);
  const verb = (name: string): string => `${name}_policy_${kind.type}_rule`;
  const lock = (policyId: string): { locks: string[] } => ({ locks: [`qos-policy:${policyId}`] });
  return {
    parent: { path: '/v2.0/qos/policies', param: 'policy_id', kind: 'qos-policy' },
    singular: `${kind.type}_rule`,
    plural: `${kind.type}_rules`,
    param: 'rule_id',
    kind: ruleResource(kind),
    policy: `policy_${kind.type}_rule`,
    list,
    create: kind.create,
    update: kind.update,
    rows,
    view: kind.view,
    make: (ctx, policyId, input) =>
      ctx.platform.db.tx(async (tx) => {
        await writablePolicy(tx, ctx, policyId, verb('create'));
        const blank: QosRuleRow = {
          id: ctx.platform.ids.uuid(),
          qos_policy_id: policyId,
          type: kind.type,
          direction: '',
          max_kbps: 0,
          max_burst_kbps: 0,
          dscp_mark: 0,
          created_at: ctx.platform.clock.now(),
        };
        const row = { ...blank, ...kind.columns(input as Record<string, unknown>, blank) };
        await refuseSecond(tx, row);
        await tx.insertInto('qos_rules').values(row).execute();
        await touch(tx, ctx, policyId, row.id);
        return row.id;
      }, lock(policyId)),
    change: (ctx, policyId, id, input) =>
      ctx.platform.db.tx(async (tx) => {
        await writablePolicy(tx, ctx, policyId, verb('update'));
        const row = await childRow({ rows, list }, tx, ctx.actor, policyId, id);
        const next = { ...row, ...kind.columns(input as Record<string, unknown>, row) };
        await refuseSecond(tx, next);
        await tx.updateTable('qos_rules').set(next).where('id', '=', id).execute();
        await touch(tx, ctx, policyId, id);
      }, lock(policyId)),
    remove: (ctx, policyId, id) =>
      ctx.platform.db.tx(async (tx) => {
        await writablePolicy(tx, ctx, policyId, verb('delete'));
        await childRow({ rows, list }, tx, ctx.actor, policyId, id);
        await tx.deleteFrom('qos_rules').where('id', '=', id).execute();
        await touch(tx, ctx, policyId, id);
      }, lock(policyId)),
  };
}

/** The same rules by their id alone. */
function aliasRoutes(kind: RuleKind): Route[] {
  const resource = ruleResourceOf(kind);
  const path = `/v2.0/qos/alias-${kind.type.replace('_', '-')}-rules/:rule_id`;
  const ids = { rule_id: ruleResource(kind) };
  const policyOf = async (ctx: Ctx, id: string): Promise<string> => {
    const { read } = ctx.platform.db;
    const row = await read
      .selectFrom('qos_rules')
      .select('qos_policy_id')
      .where('id', '=', id)
      .where('type', '=', kind.type)
      .where('qos_policy_id', 'in', visiblePolicies(read, ctx.actor).clearSelect().select('qos_policies.id'))
      .executeTakeFirst();
    if (row === undefined) throw new CloudError(404, 'QosRuleNotFound', `QoS rule ${id} could not be found.`);
    return row.qos_policy_id;
  };
  const view = async (ctx: Ctx, policyId: string, id: string): Promise<object> => ({
    [resource.singular]: {
      ...kind.view(await childRow(resource, ctx.platform.db.read, ctx.actor, policyId, id)),
      qos_policy_id: policyId,
    },
  });
  const ruleId = (call: { params: Record<string, string> }): string => call.params['rule_id'] ?? '';
  return [
    {
      method: 'GET',
      path,
      policy: `get_policy_${kind.type}_rule`,
      summary: `Show a ${resource.singular}`,
      ids,
      handler: async (call) => ({
        body: await view(call.ctx, await policyOf(call.ctx, ruleId(call)), ruleId(call)),
      }),
    },
    {
      method: 'PUT',
      path,
      policy: `update_policy_${kind.type}_rule`,
      summary: `Change a ${resource.singular}`,
      ids,
      body: strict({ [resource.singular]: kind.update }),
      async handler(call) {
        const policyId = await policyOf(call.ctx, ruleId(call));
        const input = (call.body as Record<string, never>)[resource.singular];
        await resource.change(call.ctx, policyId, ruleId(call), input as never);
        return { body: await view(call.ctx, policyId, ruleId(call)) };
      },
    },
    {
      method: 'DELETE',
      path,
      policy: `delete_policy_${kind.type}_rule`,
      summary: `Delete a ${resource.singular}`,
      ids,
      status: 204,
      async handler(call) {
        await resource.remove(call.ctx, await policyOf(call.ctx, ruleId(call)), ruleId(call));
        return {};
      },
    },
  ];
}

const kinds: readonly RuleKind[] = Object.values(ruleKinds);

export const qosRuleRoutes: Route[] = [
  ...kinds.flatMap((kind) => [...nestedRoutes(ruleResourceOf(kind)), ...aliasRoutes(kind)]),
  route({
    method: 'GET',
    path: '/v2.0/qos/rule-types',
    policy: 'get_rule_type',
    summary: 'List the kinds of rules that work here',
    handler: async () => ({ body: { rule_types: kinds.map(({ type }) => ({ type })) } }),
  }),
  route({
    method: 'GET',
    path: '/v2.0/qos/rule-types/:rule_type',
    policy: 'get_rule_type',
    summary: 'Show what a kind of rule takes',
    ids: { rule_type: 'none' },
    async handler({ params }) {
      const kind = kinds.find(({ type }) => type === params.rule_type);
      if (kind === undefined)
        throw new CloudError(
          404,
          'QosRuleTypeNotFound',
          `QoS rule type ${params.rule_type.slice(0, 255)} could not be found.`,
        );
      const drivers = [{ name: 'linux', supported_parameters: kind.parameters }];
      return { body: { rule_type: { type: kind.type, drivers } } };
    },
  }),
];
