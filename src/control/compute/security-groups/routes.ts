// Security groups below the compute API, where Nova had them before there was Neutron: api-ref "Security groups
// (os-security-groups) (DEPRECATED)", gone from 2.36 on. They are the network service's own groups in Nova's words.
import { Type } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { idOf, integer, nullable, strict, text } from '../../../kernel/schema.ts';
import type { Group, GroupRule } from '../../network/index.ts';
import { audit } from '../../../kernel/audit.ts';
import type { ComputeDeps } from '../deps.ts';
import { isSet, offsetQuery, pageSize } from '../links.ts';
import { asNova } from '../network-errors.ts';
import { refuseLocked } from '../servers/lifecycle.ts';
import { findServer, recordAction } from '../servers/store.ts';

const UNTIL = '2.35';
const ids = { security_group_id: 'security-group' } as const;
const GROUPS = '/v2.1/os-security-groups';
const ACTION = '/v2.1/servers/:server_id/action';

/** Nova knows only ingress rules, of a group or of a range. */
const ruleView = (rule: GroupRule): object => ({
  id: rule.id,
  parent_group_id: rule.security_group_id,
  ip_protocol: rule.protocol,
  from_port: rule.port_range_min ?? (rule.protocol === null ? null : -1),
  to_port: rule.port_range_max ?? (rule.protocol === null ? null : -1),
  group:
    rule.remote_group === null
      ? {}
      : { name: rule.remote_group.name, tenant_id: rule.remote_group.project_id },
  ip_range:
    rule.remote_group !== null
      ? {}
      : { cidr: rule.remote_ip_prefix ?? (rule.ethertype === 'IPv6' ? '::/0' : '0.0.0.0/0') },
});

const groupView = (group: Group): object => ({
  id: group.id,
  name: group.name,
  description: group.description,
  tenant_id: group.project_id,
  rules: group.rules.filter((rule) => rule.direction === 'ingress').map(ruleView),
});

const described = strict({ security_group: strict({ name: text(255, 1), description: text(255) }) });
const port = Type.Optional(
  nullable(Type.Union([integer(-1, 65_535), Type.String({ pattern: '^-?[0-9]{1,5}$' })])),
);
const portOf = (value: number | string | null | undefined): number | null =>
  value === undefined || value === null || Number(value) === -1 ? null : Number(value);

const groupRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'GET',
    path: GROUPS,
    policy: 'compute:security-groups:list',
    summary: 'List security groups',
    until: UNTIL,
    query: Type.Object({ ...offsetQuery, all_tenants: Type.Optional(text(10)) }),
    async handler({ ctx, query }) {
      const everywhere =
        query.all_tenants !== undefined &&
        isAdmin(ctx.actor) &&
        (query.all_tenants === '' || isSet(query.all_tenants));
      const groups = await deps.network.groups.list(ctx, everywhere);
      const first = query.offset ?? 0;
      return {
        body: { security_groups: groups.slice(first, first + pageSize(query.limit)).map(groupView) },
      };
    },
  }),
  route({
    method: 'POST',
    path: GROUPS,
    policy: 'compute:security-groups:manage',
    summary: 'Create a security group',
    until: UNTIL,
    body: described,
    async handler({ ctx, body: { security_group: asked } }) {
      return {
        body: {
          security_group: groupView(
            await asNova(deps.network.groups.create(ctx, asked.name, asked.description)),
          ),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: `${GROUPS}/:security_group_id`,
    ids,
    policy: 'compute:security-groups:list',
    summary: 'Show a security group',
    until: UNTIL,
    handler: async ({ ctx, params }) => ({
      body: { security_group: groupView(await deps.network.groups.show(ctx, params.security_group_id)) },
    }),
  }),
  route({
    method: 'PUT',
    path: `${GROUPS}/:security_group_id`,
    ids,
    policy: 'compute:security-groups:manage',
    summary: 'Rename or describe a security group',
    until: UNTIL,
    body: described,
    async handler({ ctx, params, body }) {
      return {
        body: {
          security_group: groupView(
            await asNova(deps.network.groups.update(ctx, params.security_group_id, body.security_group)),
          ),
        },
      };
    },
  }),
  route({
    method: 'DELETE',
    path: `${GROUPS}/:security_group_id`,
    ids,
    policy: 'compute:security-groups:manage',
    summary: 'Delete a security group',
    until: UNTIL,
    status: 202,
    async handler({ ctx, params }) {
      await asNova(deps.network.groups.remove(ctx, params.security_group_id));
      return {};
    },
  }),
  route({
    method: 'POST',
    path: '/v2.1/os-security-group-rules',
    policy: 'compute:security-groups:manage',
    summary: 'Let something into a security group',
    until: UNTIL,
    body: strict({
      security_group_rule: strict({
        parent_group_id: idOf('security-group'),
        ip_protocol: Type.Optional(nullable(text(32))),
        from_port: port,
        to_port: port,
        cidr: Type.Optional(nullable(text(64))),
        group_id: Type.Optional(nullable(idOf('security-group'))),
      }),
    }),
    async handler({ ctx, body: { security_group_rule: asked } }) {
      if (!/^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(asked.parent_group_id))
        throw badRequest(
          `Security group id should be uuid. Value of parent_group_id: ${asked.parent_group_id.slice(0, 100)}.`,
        );
      const named = asked.group_id ?? null;
      const rule = await asNova(
        deps.network.groups.addRule(ctx, {
          security_group_id: asked.parent_group_id,
          protocol: asked.ip_protocol?.toLowerCase() ?? null,
          port_range_min: portOf(asked.from_port),
          port_range_max: portOf(asked.to_port),
          remote_ip_prefix: named === null ? (asked.cidr ?? '0.0.0.0/0') : null,
          remote_group_id: named,
        }),
      );
      return { body: { security_group_rule: ruleView(rule) } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v2.1/os-security-group-rules/:rule_id',
    ids: { rule_id: 'security-group-rule' },
    policy: 'compute:security-groups:manage',
    summary: 'Delete a rule of a security group',
    until: UNTIL,
    status: 202,
    async handler({ ctx, params }) {
      await deps.network.groups.removeRule(ctx, params.rule_id);
      return {};
    },
  }),
];

const memberRoute = (deps: ComputeDeps, action: 'addSecurityGroup' | 'removeSecurityGroup'): Route =>
  route({
    method: 'POST',
    path: ACTION,
    ids: { server_id: 'server' },
    action,
    policy: 'compute:servers:security-groups',
    summary:
      action === 'addSecurityGroup'
        ? 'Put a server into a security group'
        : 'Take a server out of a security group',
    status: 202,
    body: strict({ name: text(255, 1) }),
    async handler({ ctx, params, body }) {
      await ctx.platform.db.tx(async (tx) => {
        const row = await findServer(tx, ctx, params.server_id);
        refuseLocked(ctx, row);
        await deps.network.groups.setMember(
          tx,
          ctx,
          { id: row.id, projectId: row.project_id },
          body.name,
          action === 'addSecurityGroup',
        );
        await recordAction(tx, ctx, row, action, { done: true });
        await audit(tx, ctx, 'server', row.id);
      });
      return {};
    },
  });

export const securityGroupRoutes = (deps: ComputeDeps): Route[] => [
  ...groupRoutes(deps),
  memberRoute(deps, 'addSecurityGroup'),
  memberRoute(deps, 'removeSecurityGroup'),
];
