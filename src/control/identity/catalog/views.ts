// What is in the catalog, as Keystone shows it.
import type { Platform } from '../../../kernel/platform.ts';
import { extraView, urlOf } from '../wire.ts';
import type { EndpointGroupRow, EndpointRow, RegionRow, ServiceRow } from './table.ts';

export const regionView = (platform: Platform, row: RegionRow): object => ({
  ...extraView(row),
  id: row.id,
  description: row.description,
  parent_region_id: row.parent_region_id,
  links: { self: urlOf(platform, `/v3/regions/${encodeURIComponent(row.id)}`) },
});

export const serviceView = (platform: Platform, row: ServiceRow): object => ({
  ...extraView(row),
  id: row.id,
  type: row.type,
  name: row.name,
  description: row.description,
  enabled: row.enabled === 1,
  links: { self: urlOf(platform, `/v3/services/${row.id}`) },
});

export const endpointView = (platform: Platform, row: EndpointRow): object => ({
  ...extraView(row),
  id: row.id,
  service_id: row.service_id,
  interface: row.interface,
  region: row.region_id,
  region_id: row.region_id,
  url: row.url,
  enabled: row.enabled === 1,
  links: { self: urlOf(platform, `/v3/endpoints/${row.id}`) },
});

export const endpointGroupView = (platform: Platform, row: EndpointGroupRow): object => ({
  id: row.id,
  name: row.name,
  description: row.description,
  filters: JSON.parse(row.filters) as object,
  links: { self: urlOf(platform, `/v3/OS-EP-FILTER/endpoint_groups/${row.id}`) },
});
