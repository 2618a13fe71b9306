// Requests about volumes: api-ref "Volumes", "Volume actions".
import { Type, type Static } from 'typebox';
import { badRequest } from '../../../kernel/errors.ts';
import { idOf, integer, nullable, prose, since, strict, text } from '../../../kernel/schema.ts';
import { MAX_SIZE_GIB } from './backend.ts';

export const metadata = Type.Record(
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\x00-\\x1f\\x7f/]+$' }),
  text(255),
  { additionalProperties: false },
);

/** Cinder takes sizes also as strings of digits. */
export const size = () =>
  Type.Union([integer(1, MAX_SIZE_GIB), Type.String({ pattern: '^[1-9][0-9]{0,6}$' })]);
export function gibOf(value: number | string): number {
  const gib = Number(value);
  if (gib > MAX_SIZE_GIB)
    throw badRequest(
      `Invalid input for field/attribute size. Value: ${gib}. It must be at most ${MAX_SIZE_GIB} GiB.`,
    );
  return gib;
}

/** Cinder takes booleans also as strings. */
export const flag = () =>
  Type.Union([
    Type.Boolean(),
    Type.String({ pattern: '^(?:[Tt]rue|TRUE|1|[Ff]alse|FALSE|0|[Yy]es|[Nn]o|[Oo]n|[Oo]ff|t|f|y|n)$' }),
  ]);
export const isSet = (value: boolean | string | undefined | null): boolean =>
  value === true || (typeof value === 'string' && /^(?:true|1|yes|on|t|y)$/i.test(value));

const name = () => Type.Optional(nullable(text(255)));
const description = () => Type.Optional(nullable(prose(255)));

export const createBody = strict({
  volume: strict({
    name: name(),
    display_name: name(),
    description: description(),
    display_description: description(),
    size: Type.Optional(nullable(size())),
    volume_type: Type.Optional(nullable(Type.Union([idOf('volume-type'), Type.Literal('')]))),
    availability_zone: Type.Optional(nullable(text(255))),
    metadata: Type.Optional(nullable(metadata)),
    imageRef: Type.Optional(nullable(Type.Union([idOf('image'), Type.Literal('')]))),
    image_id: Type.Optional(nullable(Type.Union([idOf('image'), Type.Literal('')]))),
    snapshot_id: Type.Optional(nullable(idOf('snapshot'))),
    source_volid: Type.Optional(nullable(idOf('volume'))),
    consistencygroup_id: Type.Optional(Type.Null()),
    source_replica: Type.Optional(Type.Null()),
    multiattach: Type.Optional(nullable(flag())),
    group_id: since('3.13', Type.Optional(nullable(idOf('volume-group')))),
    // Clients send null before 3.47 as well, which is where it may be more.
    backup_id: Type.Optional(nullable(idOf('backup'))),
    // Sent by old clients; they say nothing that counts.
    user_id: Type.Optional(nullable(text(255))),
    project_id: Type.Optional(nullable(text(255))),
    status: Type.Optional(nullable(text(64))),
    attach_status: Type.Optional(nullable(text(64))),
  }),
  // The scheduler has one backend a host: hints are heard, as far as there is anything to choose.
  'OS-SCH-HNT:scheduler_hints': Type.Optional(nullable(Type.Object({}))),
});
export type CreateBody = Static<typeof createBody>;

export const updateBody = strict({
  volume: strict({
    name: name(),
    display_name: name(),
    description: description(),
    display_description: description(),
    metadata: Type.Optional(nullable(metadata)),
  }),
});

const one = () => Type.Optional(text(1024));
export const pageQuery = {
  limit: Type.Optional(integer(0, 2_147_483_647)),
  offset: Type.Optional(integer(0, 2_147_483_647)),
  sort: one(),
  sort_key: one(),
  sort_dir: one(),
  all_tenants: one(),
  with_count: since('3.45', one()),
  name: one(),
  'name~': since('3.34', one()),
  status: one(),
  metadata: one(),
  project_id: Type.Optional(idOf('project')),
};
export const listQuery = Type.Object({
  ...pageQuery,
  marker: Type.Optional(idOf('volume')),
  bootable: one(),
  availability_zone: one(),
  id: Type.Optional(idOf('volume')),
  volume_type: one(),
  size: Type.Optional(integer(0, MAX_SIZE_GIB)),
  display_name: one(),
  source_volid: Type.Optional(idOf('volume')),
  snapshot_id: Type.Optional(idOf('snapshot')),
  user_id: Type.Optional(idOf('user')),
  group_id: since('3.10', Type.Optional(idOf('volume-group'))),
  host: one(),
});
export const snapshotQuery = Type.Object({
  ...pageQuery,
  marker: Type.Optional(idOf('snapshot')),
  volume_id: Type.Optional(idOf('volume')),
  id: Type.Optional(idOf('snapshot')),
  display_name: one(),
});
export type PageQuery = Partial<Static<typeof listQuery>> & Partial<Static<typeof snapshotQuery>>;
