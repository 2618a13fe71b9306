// Metadata definitions: which properties images, flavors and volumes may carry and what each means, for forms to be drawn.
import type { CreateTableBuilder } from 'kysely';
import type { Migration } from '../../../kernel/db/index.ts';

export type MetadefKind = 'object' | 'property' | 'tag';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    metadef_namespaces: {
      namespace: string;
      display_name: string | null;
      description: string | null;
      visibility: 'public' | 'private';
      is_protected: number;
      /** Project id. */
      owner: string;
      created_at: number;
      updated_at: number;
    };
    metadef_items: {
      namespace: string;
      kind: MetadefKind;
      name: string;
      /** JSON, without the name. */
      body: string;
      created_at: number;
      updated_at: number;
    };
    metadef_resource_types: { name: string; created_at: number; updated_at: number };
    metadef_associations: {
      namespace: string;
      /** Of the resource type. */
      name: string;
      /** What the names of the properties begin with on a resource of this type. */
      prefix: string | null;
      properties_target: string | null;
      created_at: number;
      updated_at: number;
    };
  }
}

export const metadefMigrations: Migration[] = [
  {
    id: 'image-0005-metadefs',
    async up(db) {
      const required = ['namespace', 'visibility', 'owner'];
      let namespaces: CreateTableBuilder<'metadef_namespaces', string> =
        db.schema.createTable('metadef_namespaces');
      for (const column of required) namespaces = namespaces.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['display_name', 'description']) namespaces = namespaces.addColumn(column, 'text');
      for (const column of ['is_protected', 'created_at', 'updated_at'])
        namespaces = namespaces.addColumn(column, 'bigint', (c) => c.notNull());
      await namespaces.addPrimaryKeyConstraint('metadef_namespaces_pk', ['namespace']).execute();

      let items: CreateTableBuilder<'metadef_items', string> = db.schema.createTable('metadef_items');
      for (const column of ['namespace', 'kind', 'name', 'body'])
        items = items.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['created_at', 'updated_at'])
        items = items.addColumn(column, 'bigint', (c) => c.notNull());
      await items.addPrimaryKeyConstraint('metadef_items_pk', ['namespace', 'kind', 'name']).execute();

      await db.schema
        .createTable('metadef_resource_types')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('updated_at', 'bigint', (c) => c.notNull())
        .execute();

      let associations: CreateTableBuilder<'metadef_associations', string> =
        db.schema.createTable('metadef_associations');
      for (const column of ['namespace', 'name'])
        associations = associations.addColumn(column, 'text', (c) => c.notNull());
      for (const column of ['prefix', 'properties_target'])
        associations = associations.addColumn(column, 'text');
      for (const column of ['created_at', 'updated_at'])
        associations = associations.addColumn(column, 'bigint', (c) => c.notNull());
      await associations.addPrimaryKeyConstraint('metadef_associations_pk', ['namespace', 'name']).execute();
    },
  },
];
