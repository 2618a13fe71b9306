// Whether a create would be placed, before it is sent: Strata's own route, which Nova does not have. It refuses what the
// create refuses and answers what the create would run into: quotas, and the scheduler's explanation.
import type { Tx } from '../../../kernel/db/index.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { userLimits } from '../../../kernel/quota.ts';
import type { Preview } from '../../placement/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { userUsage } from '../quotas/user-quotas.ts';
import { planBoot } from './boot-plan.ts';
import { explain, EXAMPLES_SHOWN, readBootRequest, type BootRequest } from './boot-request.ts';
import { refuseWithoutProject } from './create.ts';
import { createBody, type CreateBody } from './schema.ts';

/** -1: no limit. `of`: a limit of the project, or of this user within it. */
type QuotaLine = {
  resource: string;
  of: 'project' | 'user';
  requested: number;
  in_use: number;
  limit: number;
  fits: boolean;
};

/** Resource -> how much the create would claim, in the units of the quota (GiB, MiB, pieces). */
type Amounts = Readonly<Record<string, number>>;

function volumeAmounts(request: BootRequest, servers: number): Amounts {
  const made = request.devices.filter((one) => one.source !== 'volume');
  return {
    volumes: made.length * servers,
    // Volumes that get the size of their source are not counted here.
    gigabytes: made.reduce((sum, one) => sum + (one.sizeGib ?? 0), 0) * servers,
  };
}

const linesOf = (of: QuotaLine['of'], amounts: Amounts, limits: Amounts, usage: Amounts): QuotaLine[] =>
  Object.entries(amounts).flatMap(([resource, requested]) => {
    const limit = limits[resource] ?? -1;
    const inUse = usage[resource] ?? 0;
    const fits = limit < 0 || inUse + requested <= limit;
    return requested === 0 ? [] : [{ resource, of, requested, in_use: inUse, limit, fits }];
  });

async function quotaLines(tx: Tx, ctx: Ctx, amounts: Amounts): Promise<QuotaLine[]> {
  const { quotas } = ctx.platform;
  const projectId = projectOf(ctx.actor);
  const { userId } = ctx.actor;
  const own = await userLimits(tx, projectId, userId);
  const ofUser = Object.entries(amounts).filter(([resource]) => (own[resource] ?? -1) >= 0);
  return [
    ...linesOf('project', amounts, await quotas.limits(tx, projectId), await quotas.usage(tx, projectId)),
    ...(ofUser.length === 0
      ? []
      : linesOf('user', Object.fromEntries(ofUser), own, await userUsage(tx, projectId, userId))),
  ];
}

const reasonsOf = (ctx: Ctx, { explanation }: Preview): object[] => {
  // A member reads no more hosts than the fault of a server without a host names.
  const shown = isAdmin(ctx.actor) ? explanation.examples : explanation.examples.slice(0, EXAMPLES_SHOWN);
  return Object.entries(explanation.refused).map(([filter, hosts]) => ({
    filter,
    hosts,
    examples: shown
      .filter((one) => one.filter === filter)
      .map((one) => ({ host: one.host, message: one.reason })),
  }));
};

function messageOf(quota: readonly QuotaLine[], servers: number, preview: Preview): string | null {
  const over = quota.find((line) => !line.fits);
  if (over !== undefined)
    return `Quota exceeded for ${over.resource}: requested ${over.requested}, already used ${over.in_use} of ${over.limit}${over.of === 'user' ? ' that this user may have in the project' : ''}. Delete something or ask an operator for a larger quota.`;
  return preview.hosts.length < servers ? explain(preview.explanation) : null;
}

async function dryRun(ctx: Ctx, deps: ComputeDeps, body: CreateBody): Promise<object> {
  refuseWithoutProject(ctx);
  const request = readBootRequest(ctx, body);
  return ctx.platform.db.tx(async (tx) => {
    const plan = await planBoot(tx, ctx, deps, body, request);
    const ports = await deps.network.checkPorts(
      tx,
      ctx,
      projectOf(ctx.actor),
      request.ports,
      request.securityGroups,
    );
    const quota = await quotaLines(tx, ctx, {
      ...plan.claims,
      port: ports * plan.total,
      ...volumeAmounts(request, plan.total),
    });
    const preview = await deps.placement.preview(tx, plan.wants, plan.total);
    const [first] = preview.hosts;
    const message = messageOf(quota, plan.total, preview);
    return {
      possible: message === null,
      message,
      servers: plan.total,
      placed: preview.hosts.length,
      zone: first?.zone ?? null,
      host: isAdmin(ctx.actor) ? (first?.hostname ?? null) : null,
      quota,
      considered: preview.explanation.considered,
      reasons: reasonsOf(ctx, preview),
    };
  });
}

/** Beside the paths of Nova, none of which begins so. */
export const dryRunRoute = (deps: ComputeDeps): Route =>
  route({
    method: 'POST',
    path: '/v2.1/strata-dry-run/servers',
    policy: 'compute:servers:create',
    summary: 'Say whether servers would be placed, and why not; makes nothing',
    body: createBody,
    handler: async ({ ctx, body }) => ({ body: { placement: await dryRun(ctx, deps, body) } }),
  });
