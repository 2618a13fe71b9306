// Credentials over HTTP: /v3/credentials.
import { Type } from 'typebox';
import type { Route } from '../../../kernel/http/route.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { idOf, text } from '../../../kernel/schema.ts';
import { collectionRoutes } from '../collection.ts';
import type { Identity } from '../identity.ts';
import { requireFree } from '../policy.ts';
import {
  createCredential,
  createCredentialBody,
  credentialFor,
  credentialView,
  deleteCredential,
  opened,
  updateCredential,
  updateCredentialBody,
} from './service.ts';

export const credentialRoutes = (identity: Identity): Route[] =>
  collectionRoutes({
    singular: 'credential',
    plural: 'credentials',
    path: '/v3/credentials',
    kind: 'credential',
    named: false,
    filters: Type.Object({ user_id: Type.Optional(idOf('user')), type: Type.Optional(text()) }),
    rows(ctx) {
      requireFree(ctx);
      const rows = ctx.platform.db.read.selectFrom('credentials').selectAll();
      if (isAdmin(ctx.actor)) return rows;
      const own = rows.where('user_id', '=', ctx.actor.userId);
      return ctx.actor.credentialId === undefined
        ? own
        : own.where('application_credential_id', '=', ctx.actor.credentialId);
    },
    filter(rows, asked) {
      let out = rows;
      if (asked.user_id !== undefined) out = out.where('user_id', '=', asked.user_id);
      return asked.type === undefined ? out : out.where('type', '=', asked.type);
    },
    find: credentialFor,
    view: (platform, row) => credentialView(platform, opened(identity, row)),
    create: { body: createCredentialBody, make: (ctx, body) => createCredential(identity, ctx, body) },
    update: {
      body: updateCredentialBody,
      change: (ctx, id, body) => updateCredential(identity, ctx, id, body),
    },
    remove: deleteCredential,
  });
