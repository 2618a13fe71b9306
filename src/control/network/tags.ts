// Tags: the routes that every tagged Neutron resource has.
import { Type } from 'typebox';
import { audit } from '../../kernel/audit.ts';
import type { Tx } from '../../kernel/db/index.ts';
import { badRequest, CloudError, notFound } from '../../kernel/errors.ts';
import type { Method, Route } from '../../kernel/http/route.ts';
import type { Ctx } from '../../kernel/platform.ts';
import type { Actor } from '../../kernel/policy.ts';
import { strict } from '../../kernel/schema.ts';
import { ownedBy } from './faults.ts';
import { tagsOf, type Queries } from './rows.ts';

export type Tagged = {
  singular: string;
  kind: string;
  noun: string;
  /** What the actor may see. */
  find(db: Queries, actor: Actor, id: string): Promise<{ project_id: string } | undefined>;
};

const tagText = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\x00-\\x1f\\x7f,/]+$' });
const MAX_TAGS = 50;

export function tagRoutes(of: Tagged, one: string, param: string): Route[] {
  const ids = { [param]: of.kind };
  const missing = (tag: string) => new CloudError(404, 'TagNotFound', `Tag ${tag} could not be found.`);
  const read = async (ctx: Ctx, db: Queries, id: string, write: boolean): Promise<string[]> => {
    const row = await of.find(db, ctx.actor, id);
    if (row === undefined) throw notFound(of.noun, id);
    if (write) ownedBy(ctx, row, `update_${of.singular}:tags`);
    return (await tagsOf(db, [id])).get(id) ?? [];
  };
  const edit = (ctx: Ctx, id: string, next: (tags: string[]) => string[]): Promise<string[]> =>
    ctx.platform.db.tx(async (tx: Tx) => {
      const wanted = [...new Set(next(await read(ctx, tx, id, true)))].sort();
      if (wanted.length > MAX_TAGS)
        throw badRequest(
          `Invalid input for tags. It must have at most ${MAX_TAGS} tags, not ${wanted.length}.`,
        );
      await tx.deleteFrom('network_tags').where('object_id', '=', id).execute();
      if (wanted.length > 0)
        await tx
          .insertInto('network_tags')
          .values(wanted.map((tag) => ({ object_id: id, tag })))
          .execute();
      await audit(tx, ctx, of.kind, id);
      return wanted;
    });
  const route = (
    method: Method,
    path: string,
    status: number,
    more: Pick<Route, 'handler'> & Partial<Route>,
  ): Route => ({
    method,
    path,
    status,
    policy: `${method === 'GET' ? 'get' : 'update'}_${of.singular}`,
    summary: `Tags of a ${of.singular}`,
    ids: path === one + '/tags' ? ids : { ...ids, tag: 'none' },
    ...more,
  });
  const id = (call: { params: Record<string, string> }): string => call.params[param] ?? '';
  const tag = (call: { params: Record<string, string> }): string => {
    const value = call.params['tag'] ?? '';
    if (value.length > 255 || value.includes(','))
      throw badRequest(
        `Invalid input for tag. Value: ${value.slice(0, 60)}. It must have at most 255 characters and no comma.`,
      );
    return value;
  };
  return [
    route('GET', `${one}/tags`, 200, {
      handler: async (call) => ({
        body: { tags: await read(call.ctx, call.ctx.platform.db.read, id(call), false) },
      }),
    }),
    route('PUT', `${one}/tags`, 200, {
      body: strict({ tags: Type.Array(tagText, { maxItems: MAX_TAGS }) }),
      handler: async (call) => ({
        body: { tags: await edit(call.ctx, id(call), () => (call.body as { tags: string[] }).tags) },
      }),
    }),
    route('DELETE', `${one}/tags`, 204, {
      async handler(call) {
        await edit(call.ctx, id(call), () => []);
        return {};
      },
    }),
    route('GET', `${one}/tags/:tag`, 204, {
      async handler(call) {
        if (!(await read(call.ctx, call.ctx.platform.db.read, id(call), false)).includes(tag(call)))
          throw missing(tag(call));
        return {};
      },
    }),
    route('PUT', `${one}/tags/:tag`, 201, {
      async handler(call) {
        await edit(call.ctx, id(call), (tags) => [...tags, tag(call)]);
        return {};
      },
    }),
    route('DELETE', `${one}/tags/:tag`, 204, {
      async handler(call) {
        await edit(call.ctx, id(call), (tags) => {
          if (!tags.includes(tag(call))) throw missing(tag(call));
          return tags.filter((other) => other !== tag(call));
        });
        return {};
      },
    }),
  ];
}
