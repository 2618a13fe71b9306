// What operators add to the catalog: regions, services and endpoints of programs outside of this one, and which
// endpoints a project sees. What this program serves itself is not stored: catalog.ts.
import type { Migration } from '../../../kernel/db/index.ts';

export type RegionRow = {
  id: string;
  description: string;
  parent_region_id: string | null;
  extra: string;
};
export type ServiceRow = {
  id: string;
  type: string;
  name: string;
  description: string;
  enabled: number;
  extra: string;
};
export type EndpointRow = {
  id: string;
  service_id: string;
  interface: string;
  region_id: string | null;
  /** May hold %(project_id)s and the like: urls.ts. */
  url: string;
  enabled: number;
  extra: string;
};
export type EndpointGroupRow = {
  id: string;
  name: string;
  description: string;
  /** JSON: { service_id?, region_id?, interface?, enabled? }. */
  filters: string;
};

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    catalog_regions: RegionRow;
    catalog_services: ServiceRow;
    catalog_endpoints: EndpointRow;
    endpoint_groups: EndpointGroupRow;
    project_endpoints: { project_id: string; endpoint_id: string };
    project_endpoint_groups: { project_id: string; endpoint_group_id: string };
  }
}

export const catalogMigrations: Migration[] = [
  {
    id: 'identity-0022-catalog',
    async up(db) {
      await db.schema
        .createTable('catalog_regions')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('parent_region_id', 'text')
        .addColumn('extra', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('catalog_services')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('type', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('enabled', 'bigint', (c) => c.notNull())
        .addColumn('extra', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('catalog_endpoints')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('service_id', 'text', (c) => c.notNull())
        .addColumn('interface', 'text', (c) => c.notNull())
        .addColumn('region_id', 'text')
        .addColumn('url', 'text', (c) => c.notNull())
        .addColumn('enabled', 'bigint', (c) => c.notNull())
        .addColumn('extra', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('endpoint_groups')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('description', 'text', (c) => c.notNull())
        .addColumn('filters', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createTable('project_endpoints')
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('endpoint_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('project_endpoints_pk', ['project_id', 'endpoint_id'])
        .execute();
      await db.schema
        .createTable('project_endpoint_groups')
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('endpoint_group_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('project_endpoint_groups_pk', ['project_id', 'endpoint_group_id'])
        .execute();
    },
  },
];
