// Security groups as the compute service hands them on: Nova's older clients manage them there, and servers are put
// into groups and taken out of them by name.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, notFound } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { membershipChanged } from '../ports/insert.ts';
import type { ServersChanged } from '../ports/ports.ts';
import { granted, SHARED } from '../rbac/visible.ts';
import { securityGroupRules } from './group-rules.ts';
import { readableGroup, securityGroups } from './groups.ts';
import type { SecurityGroupRow, SecurityGroupRuleRow } from './table.ts';

export type GroupRule = Pick<
  SecurityGroupRuleRow,
  | 'id'
  | 'security_group_id'
  | 'direction'
  | 'protocol'
  | 'port_range_min'
  | 'port_range_max'
  | 'remote_ip_prefix'
> & {
  ethertype: string;
  /** null: the rule names no group. */
  remote_group: { name: string; project_id: string } | null;
};
export type Group = Pick<SecurityGroupRow, 'id' | 'name' | 'description' | 'project_id'> & {
  rules: GroupRule[];
};

export type NewRule = {
  security_group_id: string;
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
};

export type GroupApi = {
  /** Those of the token's project, or of all that the actor may read. */
  list(ctx: Ctx, everywhere: boolean): Promise<Group[]>;
  show(ctx: Ctx, id: string): Promise<Group>;
  create(ctx: Ctx, name: string, description: string): Promise<Group>;
  update(ctx: Ctx, id: string, change: { name: string; description: string }): Promise<Group>;
  remove(ctx: Ctx, id: string): Promise<void>;
  /** An ingress rule. */
  addRule(ctx: Ctx, rule: NewRule): Promise<GroupRule>;
  removeRule(ctx: Ctx, id: string): Promise<void>;
  /** Puts all ports of a server into the group of this name or id, or takes them out. 404: there is no such group of its project. */
  setMember(
    tx: Tx,
    ctx: Ctx,
    server: { id: string; projectId: string },
    nameOrId: string,
    member: boolean,
  ): Promise<void>;
};

async function withRules(ctx: Ctx, rows: readonly SecurityGroupRow[]): Promise<Group[]> {
  const db = ctx.platform.db.read;
  if (rows.length === 0) return [];
  const rules = await db
    .selectFrom('security_group_rules as r')
    .leftJoin('security_groups as g', 'g.id', 'r.remote_group_id')
    .select([
      'r.id',
      'r.security_group_id',
      'r.direction',
      'r.ethertype',
      'r.protocol',
      'r.port_range_min',
      'r.port_range_max',
      'r.remote_ip_prefix',
      'r.given_prefix',
    ])
    .select(['g.name as remote_name', 'g.project_id as remote_project'])
    .where(
      'r.security_group_id',
      'in',
      rows.map((row) => row.id),
    )
    .orderBy('r.created_at')
    .orderBy('r.id')
    .execute();
  const byGroup = Map.groupBy(
    rules.map(
      ({ remote_name: name, remote_project: projectId, given_prefix: given, ...rule }): GroupRule => ({
        ...rule,
        remote_ip_prefix: given ?? rule.remote_ip_prefix,
        remote_group: name === null || projectId === null ? null : { name, project_id: projectId },
      }),
    ),
    (rule) => rule.security_group_id,
  );
  return rows.map(({ id, name, description, project_id }) => ({
    id,
    name,
    description,
    project_id,
    rules: byGroup.get(id) ?? [],
  }));
}

const show = async (ctx: Ctx, id: string): Promise<Group> => {
  const [group] = await withRules(ctx, [await readableGroup(ctx.platform.db.read, ctx.actor, id)]);
  if (group === undefined) throw notFound('Security group', id);
  return group;
};

const setMember =
  (serversChanged: ServersChanged): GroupApi['setMember'] =>
  async (tx, ctx, server, nameOrId, member) => {
    const groups = await tx
      .selectFrom('security_groups')
      .select(['id', 'name'])
      .where((eb) =>
        eb.or([
          eb.and([
            eb('project_id', '=', server.projectId),
            eb.or([eb('id', '=', nameOrId), eb('name', '=', nameOrId)]),
          ]),
          eb.and([eb('id', '=', nameOrId), granted('security_groups.id', server.projectId, SHARED)]),
        ]),
      )
      .execute();
    const group = groups.find((one) => one.id === nameOrId) ?? groups[0];
    if (group === undefined) throw notFound('Security group', nameOrId);
    if (group.id !== nameOrId && groups.length > 1)
      throw badRequest(
        `Multiple security groups found matching '${nameOrId}'. Use an ID to be more specific.`,
      );
    const ports = await tx
      .selectFrom('ports')
      .select(['id', 'port_security_enabled'])
      .where('server_id', '=', server.id)
      .execute();
    const ids = ports.filter((port) => port.port_security_enabled === 1).map((port) => port.id);
    const held =
      ids.length === 0
        ? []
        : await tx
            .selectFrom('port_security_groups')
            .select('port_id')
            .where('security_group_id', '=', group.id)
            .where('port_id', 'in', ids)
            .execute();
    const inGroup = new Set(held.map((one) => one.port_id));
    const changing = ids.filter((id) => inGroup.has(id) !== member);
    if (!member && inGroup.size === 0)
      throw notFound('Security group', `${nameOrId} of instance ${server.id}`);
    if (changing.length === 0) return;
    if (member)
      await tx
        .insertInto('port_security_groups')
        .values(changing.map((id) => ({ port_id: id, security_group_id: group.id })))
        .execute();
    else
      await tx
        .deleteFrom('port_security_groups')
        .where('security_group_id', '=', group.id)
        .where('port_id', 'in', changing)
        .execute();
    await tx
      .updateTable('ports')
      .set((eb) => ({ revision: eb('revision', '+', 1), updated_at: ctx.platform.clock.now() }))
      .where('id', 'in', changing)
      .execute();
    await membershipChanged(tx, ctx, [group.id]);
    await ctx.platform.work.enqueue(tx, 'port', changing);
    await serversChanged(tx, [server.id]);
    for (const id of changing) await audit(tx, ctx, 'port', id);
  };

export const groupApi = (serversChanged: ServersChanged): GroupApi => ({
  async list(ctx, everywhere) {
    await securityGroups.beforeList?.(ctx);
    const scope = ctx.actor.scope.type === 'project' ? ctx.actor.scope.id : '';
    const rows = await securityGroups
      .rows(ctx.platform.db.read, ctx.actor)
      .$if(!everywhere, (query) => query.where('security_groups.project_id', '=', scope))
      .orderBy('security_groups.created_at')
      .orderBy('security_groups.id')
      .execute();
    return withRules(ctx, rows);
  },
  show,
  async create(ctx, name, description) {
    const [id = ''] = await securityGroups.make(ctx, [{ name, description }]);
    return show(ctx, id);
  },
  async update(ctx, id, change) {
    await securityGroups.change?.(ctx, id, change);
    return show(ctx, id);
  },
  remove: (ctx, id) => securityGroups.remove(ctx, id),
  async addRule(ctx, rule) {
    const [id = ''] = await securityGroupRules.make(ctx, [
      {
        ...rule,
        direction: 'ingress',
        ethertype: rule.remote_ip_prefix?.includes(':') === true ? 'IPv6' : 'IPv4',
      },
    ]);
    const made = (await show(ctx, rule.security_group_id)).rules.find((one) => one.id === id);
    if (made === undefined) throw notFound('Security group rule', id);
    return made;
  },
  removeRule: (ctx, id) => securityGroupRules.remove(ctx, id),
  setMember: setMember(serversChanged),
});
