// Rows to Glance v2 JSON, and what a client may say of an image. Custom properties stand beside the standard ones.
import { Type, type Static } from 'typebox';
import type { Tables } from '../../../kernel/db/index.ts';
import { isoSeconds } from '../../../kernel/clock.ts';
import { integer, nullable, prose, text } from '../../../kernel/schema.ts';

export type ImageRow = Tables['images'];

export const DISK_FORMATS = [
  'raw',
  'qcow2',
  'vhd',
  'vhdx',
  'vmdk',
  'vdi',
  'iso',
  'ploop',
  'ami',
  'aki',
  'ari',
] as const;
export const CONTAINER_FORMATS = ['bare', 'ovf', 'ova', 'docker', 'compressed', 'ami', 'aki', 'ari'] as const;
const oneOf = (values: readonly string[]) => Type.Union(values.map((value) => Type.Literal(value)));

/** At most this many custom properties and tags. */
export const MAX_PROPERTIES = 128;
export const propertyName = /^[A-Za-z0-9_:.-]{1,255}$/;

export const CreateImage = Type.Object(
  {
    id: Type.Optional(
      Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' }),
    ),
    name: Type.Optional(nullable(text())),
    disk_format: Type.Optional(nullable(oneOf(DISK_FORMATS))),
    container_format: Type.Optional(nullable(oneOf(CONTAINER_FORMATS))),
    visibility: Type.Optional(oneOf(['public', 'private', 'shared', 'community'])),
    min_ram: Type.Optional(integer(0, 2 ** 31 - 1)),
    min_disk: Type.Optional(integer(0, 2 ** 31 - 1)),
    protected: Type.Optional(Type.Boolean()),
    os_hidden: Type.Optional(Type.Boolean()),
    owner: Type.Optional(
      nullable(Type.String({ maxLength: 255, pattern: '^[^\\x00-\\x1f\\x7f/]+$', 'x-ref': 'project' })),
    ),
    tags: Type.Optional(Type.Array(text(255, 1), { maxItems: MAX_PROPERTIES })),
  },
  // Whatever else it says is a custom property.
  { additionalProperties: Type.Union([prose(65_535), Type.Null()]), maxProperties: MAX_PROPERTIES + 12 },
);
export type CreateImage = Static<typeof CreateImage>;

/** What a client may not set: Glance keeps these to itself. */
export const READ_ONLY = new Set([
  'status', 'created_at', 'updated_at', 'checksum', 'os_hash_algo', 'os_hash_value', 'size', 'virtual_size',
  'self', 'file', 'schema', 'direct_url', 'locations', 'stores', 'id', 'location', 'deleted', 'deleted_at',
]); // prettier-ignore
/** Properties that only the service itself writes. */
export const isReserved = (name: string): boolean => name.startsWith('os_glance_');
export const reserved = (name: string): string =>
  `Attribute '${name.slice(0, 100)}' is reserved: names that begin with os_glance_ are the service's own.`;

/** The one store there is, as the API names it. */
export const STORE = 'file';
export const STANDARD = new Set([
  ...READ_ONLY, 'name', 'disk_format', 'container_format', 'visibility', 'min_ram', 'min_disk', 'protected', 'os_hidden', 'owner', 'tags',
]); // prettier-ignore

export function imageView(row: ImageRow): Record<string, unknown> {
  return {
    ...(JSON.parse(row.properties) as Record<string, string>),
    id: row.id,
    name: row.name === '' ? null : row.name,
    status: row.status,
    visibility: row.visibility,
    owner: row.owner,
    disk_format: row.disk_format === '' ? null : row.disk_format,
    container_format: row.container_format === '' ? null : row.container_format,
    size: row.size,
    virtual_size: row.virtual_size,
    checksum: row.checksum,
    os_hash_algo: row.hash === null ? null : 'sha512',
    os_hash_value: row.hash,
    os_hidden: row.is_hidden === 1,
    min_ram: row.min_ram,
    min_disk: row.min_disk,
    protected: row.is_protected === 1,
    tags: JSON.parse(row.tags) as string[],
    ...(row.hash === null ? {} : { stores: STORE }),
    ...(row.status === 'importing' ? { os_glance_importing_to_stores: STORE } : {}),
    ...(row.failed_import === '' ? {} : { os_glance_failed_import: row.failed_import }),
    created_at: isoSeconds(row.created_at),
    updated_at: isoSeconds(row.updated_at),
    self: `/v2/images/${row.id}`,
    file: `/v2/images/${row.id}/file`,
    schema: '/v2/schemas/image',
  };
}
