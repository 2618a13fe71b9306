// Cinder answers under /v3/{project_id} and, from 3.67 on, also without the project: each route is written once.
import { notFound } from '../../kernel/errors.ts';
import type { Route } from '../../kernel/http/route.ts';
import { isAdmin, projectOf } from '../../kernel/policy.ts';
import { minorOf } from '../../kernel/schema.ts';
import type { Ctx } from '../../kernel/platform.ts';

export const VOLUME_PREFIX = '/volume';
const NO_PROJECT_SINCE = '3.67';

/** The project in the address must be that of the token; operators may name any. */
function checkProject(ctx: Ctx, projectId: string): void {
  if (projectOf(ctx.actor) !== projectId && !isAdmin(ctx.actor)) throw notFound('Project', projectId);
}

export function underProject(one: Route): Route[] {
  const { handler } = one;
  const since =
    one.since !== undefined && minorOf(one.since) > minorOf(NO_PROJECT_SINCE) ? one.since : NO_PROJECT_SINCE;
  return [
    {
      ...one,
      path: `/v3/:project_id${one.path}`,
      ids: { project_id: 'project', ...one.ids },
      async handler(call) {
        checkProject(call.ctx, call.params['project_id'] ?? '');
        return handler(call);
      },
    },
    { ...one, path: `/v3${one.path}`, since },
  ];
}

export const linksOf = (ctx: Ctx, collection: string, id: string): { rel: string; href: string }[] => {
  const base = `${ctx.platform.publicUrl}${VOLUME_PREFIX}`;
  const project = projectOf(ctx.actor);
  const path = `${project === '' ? '' : `${project}/`}${collection}/${id}`;
  return [
    { rel: 'self', href: `${base}/v3/${path}` },
    { rel: 'bookmark', href: `${base}/${path}` },
  ];
};

/** Times as Cinder writes them: microseconds, no zone. */
export const stamp = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');
export const stampOrNull = (ms: number | null): string | null => (ms === null ? null : stamp(ms));
