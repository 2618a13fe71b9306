// Requests about servers: api-ref "Servers". What cannot be honoured is refused, never silently dropped.
import { Type, type Static } from 'typebox';
import { idOf, integer, nullable, prose, since, strict, text, until } from '../../../kernel/schema.ts';
import { count, flag, pageQuery } from '../links.ts';
import { hints } from './hints.ts';
import { personality } from './personality.ts';

const metadataKey = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' });
export const metadata = Type.Record(metadataKey, text(255), { additionalProperties: false });
/** api-ref: no comma, no slash, 60 characters. */
export const tag = Type.String({ minLength: 1, maxLength: 60, pattern: '^[^,/\\x00-\\x1f\\x7f]*$' });
export const tagList = Type.Array(tag, { maxItems: 50, uniqueItems: true });
export const MAX_TAGS = 50;

/** RFC 1123, one label before 2.94 and a whole name from then on; checked by version in create.ts. */
export const hostname = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9.-]+$' });
export const address4 = Type.Union([Type.Literal(''), Type.String({ format: 'ipv4', maxLength: 15 })]);
export const address6 = Type.Union([Type.Literal(''), Type.String({ format: 'ipv6', maxLength: 45 })]);

const networkEntry = strict({
  uuid: Type.Optional(idOf('network')),
  port: Type.Optional(nullable(idOf('port'))),
  fixed_ip: Type.Optional(text(45)),
  tag: since('2.32', Type.Optional(tag)),
});

const blockDevice = strict({
  uuid: Type.Optional(idOf('image')),
  source_type: Type.Optional(text(32)),
  destination_type: Type.Optional(text(32)),
  boot_index: Type.Optional(
    nullable(Type.Union([integer(-1, 100), Type.String({ pattern: '^-?[0-9]{1,3}$' })])),
  ),
  delete_on_termination: Type.Optional(flag()),
  device_name: Type.Optional(text(255)),
  volume_size: Type.Optional(
    nullable(Type.Union([integer(0, 1_000_000), Type.String({ pattern: '^[0-9]{0,7}$' })])),
  ),
  device_type: Type.Optional(nullable(text(32))),
  disk_bus: Type.Optional(nullable(text(32))),
  guest_format: Type.Optional(nullable(text(32))),
  no_device: Type.Optional(Type.Union([Type.Boolean(), text(10)])),
  snapshot_id: Type.Optional(idOf('snapshot')),
  volume_id: Type.Optional(idOf('volume')),
  tag: since('2.32', Type.Optional(tag)),
  volume_type: since('2.67', Type.Optional(Type.Union([idOf('volume-type'), Type.Literal('')]))),
});

export const createBody = strict({
  server: strict({
    name: text(255, 1),
    flavorRef: idOf('flavor'),
    imageRef: Type.Optional(Type.Union([idOf('image'), Type.Literal('')])),
    networks: Type.Optional(
      Type.Union([
        Type.Array(networkEntry, { maxItems: 64 }),
        since('2.37', Type.Literal('auto')),
        since('2.37', Type.Literal('none')),
      ]),
    ),
    security_groups: Type.Optional(Type.Array(strict({ name: text(255, 1) }), { maxItems: 64 })),
    key_name: Type.Optional(nullable(text(255, 1))),
    user_data: Type.Optional(nullable(Type.String({ maxLength: 65535, pattern: '^[A-Za-z0-9+/=\\r\\n]*$' }))),
    metadata: Type.Optional(metadata),
    personality: until('2.56', Type.Optional(personality)),
    config_drive: Type.Optional(nullable(flag())),
    availability_zone: Type.Optional(nullable(text(255, 1))),
    block_device_mapping: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 64 })),
    block_device_mapping_v2: Type.Optional(Type.Array(blockDevice, { maxItems: 64 })),
    min_count: Type.Optional(count(1, 1000)),
    max_count: Type.Optional(count(1, 1000)),
    return_reservation_id: Type.Optional(flag()),
    adminPass: Type.Optional(text(255)),
    accessIPv4: Type.Optional(address4),
    accessIPv6: Type.Optional(address6),
    'OS-DCF:diskConfig': Type.Optional(Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')])),
    description: since('2.19', Type.Optional(nullable(prose(255)))),
    tags: since('2.52', Type.Optional(tagList)),
    trusted_image_certificates: since('2.63', Type.Optional(Type.Null())),
    host: since('2.74', Type.Optional(text(255, 1))),
    hypervisor_hostname: since('2.74', Type.Optional(text(255, 1))),
    hostname: since('2.90', Type.Optional(hostname)),
  }),
  'os:scheduler_hints': Type.Optional(hints),
  'OS-SCH-HNT:scheduler_hints': Type.Optional(hints),
});
export type CreateBody = Static<typeof createBody>;

export const updateBody = strict({
  server: strict({
    name: Type.Optional(text(255, 1)),
    accessIPv4: Type.Optional(address4),
    accessIPv6: Type.Optional(address6),
    'OS-DCF:diskConfig': Type.Optional(Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')])),
    description: since('2.19', Type.Optional(nullable(prose(255)))),
    hostname: since('2.90', Type.Optional(hostname)),
  }),
});
export type UpdateBody = Static<typeof updateBody>;

const one = () => Type.Optional(text(255));
export const listQuery = Type.Object({
  ...pageQuery,
  sort_key: Type.Optional(Type.Array(text(64), { maxItems: 12 })),
  sort_dir: Type.Optional(Type.Array(text(64), { maxItems: 12 })),
  name: one(),
  display_name: one(),
  status: Type.Optional(Type.Array(text(64), { maxItems: 20 })),
  vm_state: one(),
  task_state: one(),
  power_state: one(),
  image: Type.Optional(idOf('image')),
  flavor: Type.Optional(idOf('flavor')),
  host: one(),
  node: one(),
  all_tenants: one(),
  project_id: Type.Optional(idOf('project')),
  tenant_id: Type.Optional(idOf('project')),
  user_id: Type.Optional(idOf('user')),
  uuid: Type.Optional(idOf('server')),
  reservation_id: one(),
  key_name: one(),
  hostname: one(),
  description: one(),
  availability_zone: one(),
  config_drive: one(),
  access_ip_v4: one(),
  access_ip_v6: one(),
  ip: one(),
  ip6: one(),
  deleted: one(),
  soft_deleted: one(),
  locked: since('2.73', one()),
  launched_at: one(),
  created_at: one(),
  terminated_at: one(),
  root_device_name: one(),
  kernel_id: one(),
  ramdisk_id: one(),
  launch_index: one(),
  progress: one(),
  instance_name: one(),
  auto_disk_config: one(),
  'changes-since': one(),
  'changes-before': since('2.66', one()),
  tags: since('2.26', one()),
  'tags-any': since('2.26', one()),
  'not-tags': since('2.26', one()),
  'not-tags-any': since('2.26', one()),
});
export type ListQuery = Static<typeof listQuery>;
