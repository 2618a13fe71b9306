// Two small services made up for the pipeline's tests: one with microversions and actions, one with another fault format.
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { notFound } from '../errors.ts';
import { canSee, rules } from '../policy.ts';
import { integer, since, strict, text } from '../schema.ts';
import { neutronFault, novaFault } from './faults.ts';
import { route, type Service } from './route.ts';

const policies = {
  'p:read': { description: '', anyOf: [rules.projectReader] },
  'p:write': { description: '', anyOf: [rules.projectMember] },
  'p:open': { description: '', anyOf: [rules.anyone] },
};
/** What the upload route saw last: bytes, and how the client left. */
export const upload = { bytes: 0, aborted: Promise.withResolvers<string>() };

export const compute: Service = {
  name: 'compute',
  type: 'compute',
  prefix: '/compute',
  aliases: ['/nova'],
  fault: novaFault,
  microversions: {
    type: 'compute',
    min: '2.1',
    max: '2.93',
    legacyHeader: 'x-openstack-nova-api-version',
    default: '2.1',
  },
  policies,
  migrations: [],
  work: {},
  routes: [
    route({
      method: 'GET',
      path: '/',
      policy: 'p:open',
      summary: '',
      handler: async () => ({ body: { hello: true } }),
    }),
    route({
      method: 'GET',
      path: '/things',
      policy: 'p:read',
      summary: '',
      query: Type.Object({ limit: Type.Optional(integer(0, 100)), name: Type.Optional(text()) }),
      handler: async ({ query, rawQuery }) => ({ body: { query, rawQuery } }),
    }),
    route({
      method: 'POST',
      path: '/things',
      policy: 'p:write',
      summary: '',
      status: 201,
      body: strict({ name: text(20, 1), tags: Type.Optional(since('2.52', Type.Array(text()))) }),
      handler: async ({ body, ctx }) => ({ body: { body, minor: ctx.microversion, user: ctx.actor.userId } }),
    }),
    route({
      method: 'GET',
      path: '/things/:thing_id',
      ids: { thing_id: 'thing' },
      policy: 'p:read',
      summary: '',
      async handler({ ctx, params }) {
        if (!canSee(ctx.actor, params.thing_id)) throw notFound('Thing', params.thing_id);
        return { body: { id: params.thing_id, pipe: 'a property of that name', path: 1 } };
      },
    }),
    route({
      method: 'GET',
      path: '/pipe',
      policy: 'p:read',
      summary: '',
      handler: async () => ({ body: { pipe: 'a property of that name' } }),
    }),
    route({
      method: 'POST',
      path: '/things/:thing_id/action',
      ids: { thing_id: 'thing' },
      policy: 'p:write',
      summary: '',
      action: 'pause',
      status: 202,
      body: Type.Null(),
      handler: async () => ({}),
    }),
    route({
      method: 'POST',
      path: '/things/:thing_id/action',
      ids: { thing_id: 'thing' },
      policy: 'p:read',
      summary: '',
      action: 'lock',
      since: '2.9',
      status: 202,
      body: strict({ reason: Type.Optional(text()) }),
      handler: async () => ({}),
    }),
    route({
      method: 'GET',
      path: '/new',
      policy: 'p:read',
      summary: '',
      since: '2.50',
      handler: async () => ({ body: {} }),
    }),
    route({
      method: 'GET',
      path: '/broken',
      policy: 'p:read',
      summary: '',
      async handler() {
        throw new Error('secret /var/lib/strata detail');
      },
    }),
    route({
      method: 'GET',
      path: '/down',
      policy: 'p:read',
      summary: '',
      async handler() {
        throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      },
    }),
    route({
      method: 'GET',
      path: '/download',
      policy: 'p:read',
      summary: '',
      handler: async () => ({
        headers: { 'content-type': 'application/octet-stream', 'content-length': '5' },
        body: Readable.from([Buffer.from('hello')]),
      }),
    }),
    route({
      method: 'PUT',
      path: '/upload',
      policy: 'p:write',
      summary: '',
      streams: true,
      status: 204,
      async handler({ stream }) {
        try {
          upload.bytes = 0;
          for await (const chunk of stream) upload.bytes += (chunk as Buffer).length;
        } catch (error) {
          upload.aborted.resolve(String(error));
        }
        return {};
      },
    }),
  ],
};
export const network: Service = {
  name: 'network',
  type: 'network',
  prefix: '/network',
  fault: neutronFault,
  policies,
  migrations: [],
  work: {},
  routes: [
    route({
      method: 'GET',
      path: '/v2.0/x',
      policy: 'p:read',
      summary: '',
      handler: async () => ({ body: {} }),
    }),
  ],
};
