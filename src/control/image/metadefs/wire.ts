// Rows to Glance's JSON of metadata definitions.
import { isoSeconds } from '../../../kernel/clock.ts';
import type { Tables } from '../../../kernel/db/index.ts';
import type { AssociationRow, ItemRow, NamespaceRow } from './namespaces.ts';

const times = (row: { created_at: number; updated_at: number }) => ({
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
});
export const namespaceUrl = (namespace: string): string =>
  `/v2/metadefs/namespaces/${encodeURIComponent(namespace)}`;

export const associationView = (row: AssociationRow) => ({
  name: row.name,
  ...(row.prefix === null ? {} : { prefix: row.prefix }),
  ...(row.properties_target === null ? {} : { properties_target: row.properties_target }),
  ...times(row),
});
export const resourceTypeView = (row: Tables['metadef_resource_types']) => ({
  name: row.name,
  ...times(row),
});

const bodyOf = (row: ItemRow): object => JSON.parse(row.body) as object;
/** `prefix`: that of the resource type for which the names are asked. */
export const propertyView = (row: ItemRow, prefix = '') => ({ ...bodyOf(row), name: prefix + row.name });
export const objectView = (row: ItemRow) => ({
  required: [],
  properties: {},
  ...bodyOf(row),
  name: row.name,
  ...times(row),
  self: `${namespaceUrl(row.namespace)}/objects/${encodeURIComponent(row.name)}`,
  schema: '/v2/schemas/metadefs/object',
});
export const tagView = (row: ItemRow) => ({ name: row.name, ...times(row) });

export const namespaceView = (row: NamespaceRow, associations: readonly AssociationRow[]) => ({
  namespace: row.namespace,
  ...(row.display_name === null ? {} : { display_name: row.display_name }),
  ...(row.description === null ? {} : { description: row.description }),
  visibility: row.visibility,
  protected: row.is_protected === 1,
  owner: row.owner,
  ...(associations.length === 0 ? {} : { resource_type_associations: associations.map(associationView) }),
  ...times(row),
  self: namespaceUrl(row.namespace),
  schema: '/v2/schemas/metadefs/namespace',
});

/** With all that it holds. `prefix` as of propertyView. */
export function fullNamespaceView(
  row: NamespaceRow,
  associations: readonly AssociationRow[],
  items: readonly ItemRow[],
  prefix = '',
): object {
  const some = (kind: ItemRow['kind']): ItemRow[] => items.filter((item) => item.kind === kind);
  const [objects, properties, tags] = [some('object'), some('property'), some('tag')];
  return {
    ...namespaceView(row, associations),
    ...(objects.length === 0 ? {} : { objects: objects.map(objectView) }),
    ...(properties.length === 0
      ? {}
      : {
          properties: Object.fromEntries(
            properties.map((item) => [prefix + item.name, propertyView(item, prefix)]),
          ),
        }),
    ...(tags.length === 0 ? {} : { tags: tags.map(({ name }) => ({ name })) }),
  };
}
