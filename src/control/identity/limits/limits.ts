// Unified limits: the same ledger as the quotas of the services, seen through Keystone. A registered limit is what a
// project has that was given none of its own, a limit is what one project was given. Nothing is stored here: what is set
// here holds at once, and what a service's own quota API sets is shown here.
import { createHash } from 'node:crypto';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict, forbidden, notFound } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { projectOf } from '../../../kernel/policy.ts';
import { ownLimits, quotaLock } from '../../../kernel/quota.ts';
import type { Identity, Rows } from '../identity.ts';
import { listedDomain, may } from '../policy.ts';
import { projectFor } from '../projects/service.ts';
import { urlOf } from '../wire.ts';

export type RegisteredLimit = {
  id: string;
  service_id: string;
  resource_name: string;
  default_limit: number;
};
export type Limit = RegisteredLimit & { project_id: string; domain_id: string; resource_limit: number };

const idFor = (...parts: string[]): string =>
  createHash('sha256')
    .update(['limit', ...parts].join('|'))
    .digest('hex')
    .slice(0, 32);

export const registeredView = (platform: Platform, row: RegisteredLimit): object => ({
  id: row.id,
  service_id: row.service_id,
  region_id: null,
  resource_name: row.resource_name,
  default_limit: row.default_limit,
  description: null,
  links: { self: urlOf(platform, `/v3/registered_limits/${row.id}`) },
});
export const limitView = (platform: Platform, row: Limit): object => ({
  id: row.id,
  project_id: row.project_id,
  domain_id: null,
  service_id: row.service_id,
  region_id: null,
  resource_name: row.resource_name,
  resource_limit: row.resource_limit,
  description: null,
  links: { self: urlOf(platform, `/v3/limits/${row.id}`) },
});

/** One for each thing that a service of this cloud counts. */
export async function registeredLimits(identity: Identity, rows: Rows, ctx: Ctx): Promise<RegisteredLimit[]> {
  const defaults = await ctx.platform.quotas.defaultLimits(rows);
  return Object.entries(identity.countedBy())
    .flatMap(([resource, type]) => {
      const service = identity.catalog.builtIn.services.find((one) => one.type === type);
      const limit = defaults[resource];
      return service === undefined || limit === undefined
        ? []
        : [
            {
              id: idFor(resource),
              service_id: service.id,
              resource_name: resource,
              default_limit: limit,
            },
          ];
    })
    .toSorted((a, b) => (a.resource_name < b.resource_name ? -1 : 1));
}

export async function registeredLimitFor(
  identity: Identity,
  rows: Rows,
  ctx: Ctx,
  id: string,
): Promise<RegisteredLimit> {
  const row = (await registeredLimits(identity, rows, ctx)).find((one) => one.id === id);
  if (row === undefined) throw notFound('Registered limit', id);
  return row;
}

export async function setDefault(
  identity: Identity,
  ctx: Ctx,
  id: string,
  value: number,
): Promise<RegisteredLimit> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await registeredLimitFor(identity, tx, ctx, id);
    await ctx.platform.quotas.setDefaultLimits(tx, { [row.resource_name]: value });
    await audit(tx, ctx, 'registered-limit', id);
    return { ...row, default_limit: value };
  });
}

/** Those that projects were given, which the actor may see. */
export async function limits(identity: Identity, rows: Rows, ctx: Ctx): Promise<Limit[]> {
  const registered = new Map(
    (await registeredLimits(identity, rows, ctx)).map((row) => [row.resource_name, row]),
  );
  if (registered.size === 0) return [];
  const found = await ownLimits(rows, [...registered.keys()]);
  const projects = new Map(
    (await rows.selectFrom('projects').select(['id', 'domain_id']).execute()).map((row) => [
      row.id,
      row.domain_id,
    ]),
  );
  return found.flatMap((row) => {
    const of = registered.get(row.resource);
    const domainId = projects.get(row.project_id);
    return of === undefined || domainId === undefined || !sees(ctx, row.project_id, domainId)
      ? []
      : [
          {
            ...of,
            id: idFor(row.resource, row.project_id),
            project_id: row.project_id,
            domain_id: domainId,
            resource_limit: row.limit_value,
          },
        ];
  });
}

const sees = (ctx: Ctx, projectId: string, domainId: string): boolean =>
  may(ctx.actor, 'identity:get_limit', { projectId, domainId }) &&
  (projectOf(ctx.actor) === projectId || [null, domainId].includes(listedDomain(ctx.actor)));

export async function limitFor(identity: Identity, rows: Rows, ctx: Ctx, id: string): Promise<Limit> {
  const row = (await limits(identity, rows, ctx)).find((one) => one.id === id);
  if (row === undefined) throw notFound('Limit', id);
  return row;
}

export type NewLimit = {
  project_id?: string | null;
  domain_id?: string | null;
  service_id: string;
  region_id?: string | null;
  resource_name: string;
  resource_limit: number;
};

async function addOne(identity: Identity, tx: Tx, ctx: Ctx, asked: NewLimit): Promise<Limit> {
  const { project_id: projectId = null, resource_name: resource, resource_limit: value } = asked;
  if (projectId === null || (asked.domain_id ?? null) !== null)
    throw badRequest(
      'Invalid input for field project_id. A limit here is one of a project: its domain has none.',
    );
  const project = await projectFor(tx, ctx, projectId);
  const registered = (await registeredLimits(identity, tx, ctx)).find(
    (row) =>
      row.resource_name === resource &&
      row.service_id === asked.service_id &&
      (asked.region_id ?? null) === null,
  );
  if (registered === undefined)
    throw forbidden(
      `Unable to create a limit that has no corresponding registered limit: no service ${asked.service_id} of this cloud counts ${resource}.`,
    );
  const id = idFor(resource, projectId);
  if ((await limits(identity, tx, ctx)).some((row) => row.id === id))
    throw conflict(`Project ${projectId} has a limit for ${resource} already: change that one.`);
  await ctx.platform.quotas.setLimits(tx, projectId, { [resource]: value });
  await audit(tx, ctx, 'limit', id);
  return { ...registered, id, project_id: projectId, domain_id: project.domain_id, resource_limit: value };
}

/** All or none. */
export async function addLimits(identity: Identity, ctx: Ctx, asked: readonly NewLimit[]): Promise<Limit[]> {
  const locks = [...new Set(asked.map((one) => quotaLock(one.project_id ?? '')))].toSorted();
  return ctx.platform.db.tx(
    async (tx) => {
      const made: Limit[] = [];
      for (const one of asked) made.push(await addOne(identity, tx, ctx, one));
      return made;
    },
    { locks },
  );
}

export async function changeLimit(identity: Identity, ctx: Ctx, id: string, value: number): Promise<Limit> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await limitFor(identity, tx, ctx, id);
    await ctx.platform.quotas.setLimits(tx, row.project_id, { [row.resource_name]: value });
    await audit(tx, ctx, 'limit', id);
    return { ...row, resource_limit: value };
  });
}

export async function dropLimit(identity: Identity, ctx: Ctx, id: string): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await limitFor(identity, tx, ctx, id);
    await ctx.platform.quotas.resetLimits(tx, row.project_id, [row.resource_name]);
    await audit(tx, ctx, 'limit', id);
  });
}
