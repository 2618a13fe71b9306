// How a tenant of the generated tests gets an object: the parts that fixtures are written with.
import type { TestCloud } from './cloud.ts';

export const TENANT_ROLES = ['reader', 'member', 'manager'] as const;
export type TenantRole = (typeof TENANT_ROLES)[number];

export type Tenant = {
  /** In the name or description of everything that is the tenant's. */
  marker: string;
  projectId: string;
  /** Tokens scoped to the project, by role. */
  tokens: Record<TenantRole, string>;
  users: Record<TenantRole, string>;
  /** Resource kind -> id of the tenant's object. */
  ids: Record<string, string>;
};

export type Maker = (cloud: TestCloud, tenant: Tenant) => Promise<string>;

export const idIn = (answer: unknown, key: string): string =>
  (answer as Record<string, { id: string }>)[key]?.id ?? '';

/** Created by the tenant's member: `{"<key>": {...}}` in and out. */
export const own =
  (url: string, key: string, body: (tenant: Tenant) => object): Maker =>
  async (cloud, tenant) =>
    idIn(await cloud.must(tenant.tokens.member, 'POST', url, { [key]: body(tenant) }), key);
/** Created by the tenant's manager. */
export const managed =
  (url: string, key: string, body: (tenant: Tenant) => object): Maker =>
  async (cloud, tenant) =>
    idIn(await cloud.must(tenant.tokens.manager, 'POST', url, { [key]: body(tenant) }), key);
/** Created by the operator. */
export const given =
  (url: string, key: string, body: (tenant: Tenant) => object): Maker =>
  async (cloud, tenant) =>
    idIn(await cloud.must(cloud.admin, 'POST', url, { [key]: body(tenant) }), key);

export const named = (what: string) => (tenant: Tenant) => ({ name: `${tenant.marker}-${what}` });
export const id = (tenant: Tenant, kind: string): string => tenant.ids[kind] ?? '';
