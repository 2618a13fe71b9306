// Glance v2: with whom an image is shared.
import { Type } from 'typebox';
import { isoSeconds } from '../../../kernel/clock.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { rules, type Policies } from '../../../kernel/policy.ts';
import { idOf, strict } from '../../../kernel/schema.ts';
import {
  addMember,
  listMembers,
  readMember,
  removeMember,
  setMemberStatus,
  type MemberRow,
} from './service.ts';
import { MEMBER_STATUSES, type MemberStatus } from './table.ts';

export const memberPolicies: Policies = {
  'image:members:list': {
    description: 'List and show the members of an image',
    anyOf: [rules.admin, rules.projectReader],
  },
  'image:members:modify': {
    description: 'Share an image with a project, or no longer',
    anyOf: [rules.admin, rules.projectMember],
  },
  'image:members:answer': {
    description: 'Accept or reject an image that is shared with the project',
    anyOf: [rules.admin, rules.projectMember],
  },
};

const memberView = (row: MemberRow) => ({
  image_id: row.image_id,
  member_id: row.member_id,
  status: row.status,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  schema: '/v2/schemas/member',
});

const path = '/v2/images/:image_id/members';
const one = { image_id: 'image', member_id: 'project' } as const;

export const memberRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path,
    ids: { image_id: 'image' },
    policy: 'image:members:list',
    summary: 'List the members of an image',
    handler: async ({ ctx, params }) => ({
      body: {
        members: (await listMembers(ctx, params.image_id)).map(memberView),
        schema: '/v2/schemas/members',
      },
    }),
  }),
  route({
    method: 'POST',
    path,
    ids: { image_id: 'image' },
    policy: 'image:members:modify',
    summary: 'Share an image with a project',
    body: strict({ member: idOf('project') }),
    handler: async ({ ctx, params, body }) => ({
      body: memberView(await addMember(ctx, params.image_id, body.member)),
    }),
  }),
  route({
    method: 'GET',
    path: `${path}/:member_id`,
    ids: one,
    policy: 'image:members:list',
    summary: 'Show a member of an image',
    handler: async ({ ctx, params }) => ({
      body: memberView(await readMember(ctx, params.image_id, params.member_id)),
    }),
  }),
  route({
    method: 'PUT',
    path: `${path}/:member_id`,
    ids: one,
    policy: 'image:members:answer',
    summary: 'Accept or reject an image that is shared',
    body: strict({ status: Type.Union(MEMBER_STATUSES.map((status) => Type.Literal(status))) }),
    handler: async ({ ctx, params, body }) => ({
      body: memberView(
        await setMemberStatus(ctx, params.image_id, params.member_id, body.status as MemberStatus),
      ),
    }),
  }),
  route({
    method: 'DELETE',
    path: `${path}/:member_id`,
    ids: one,
    policy: 'image:members:modify',
    summary: 'Share an image with a project no longer',
    status: 204,
    async handler({ ctx, params }) {
      await removeMember(ctx, params.image_id, params.member_id);
      return {};
    },
  }),
];
