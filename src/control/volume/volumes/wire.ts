// Volumes as Cinder's JSON, per microversion.
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import type { AttachmentRow } from '../attachments/table.ts';
import { linksOf, stamp, stampOrNull } from '../routing.ts';
import { mapOf } from './store.ts';
import type { VolumeRow } from './table.ts';

const attachmentView = (one: AttachmentRow, admin: boolean) => ({
  server_id: one.server_id === '' ? null : one.server_id,
  attachment_id: one.id,
  attached_at: stampOrNull(one.attached_at),
  // only operators see hosts
  host_name: admin ? one.host_name : null,
  volume_id: one.volume_id,
  device: one.device,
  id: one.volume_id,
});

/** `name@backend#pool`, as Cinder names where a volume is. */
export const poolOf = (hostName: string): string => `${hostName}@file#file`;

export const briefView = (ctx: Ctx, row: Pick<VolumeRow, 'id' | 'name'>) => ({
  id: row.id,
  name: row.name,
  links: linksOf(ctx, 'volumes', row.id),
});

/** What create and update answer. */
export function volumeView(
  ctx: Ctx,
  row: VolumeRow,
  attachments: readonly AttachmentRow[],
  typeName: string,
) {
  const minor = ctx.microversion;
  const admin = isAdmin(ctx.actor);
  return {
    id: row.id,
    status: row.status,
    size: row.size_gib,
    availability_zone: row.zone,
    created_at: stamp(row.created_at),
    updated_at: stampOrNull(row.updated_at),
    name: row.name,
    description: row.description,
    volume_type: typeName,
    snapshot_id: row.source_snapshot_id,
    source_volid: row.source_volume_id,
    metadata: {
      ...mapOf(row.metadata),
      ...(row.read_only === 0 ? {} : { readonly: row.read_only === 1 ? 'True' : 'False' }),
    },
    links: linksOf(ctx, 'volumes', row.id),
    user_id: row.user_id,
    bootable: row.bootable === 1 ? 'true' : 'false',
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: false,
    migration_status: null,
    attachments: attachments
      .filter((one) => one.state !== 'reserved')
      .map((one) => attachmentView(one, admin)),
    ...(minor >= 13 ? { group_id: row.group_id } : {}),
    ...(minor >= 21 && admin ? { provider_id: null } : {}),
    ...(minor >= 48 ? { shared_targets: minor >= 69 ? null : false, service_uuid: null } : {}),
    ...(minor >= 61 && admin ? { cluster_name: null } : {}),
    ...(minor >= 63 ? { volume_type_id: row.type_id } : {}),
    ...(minor >= 65 ? { consumes_quota: true } : {}),
  };
}

/** What show and detailed lists answer. */
export function volumeDetailView(
  ctx: Ctx,
  row: VolumeRow,
  attachments: readonly AttachmentRow[],
  typeName: string,
) {
  const image = mapOf(row.image_metadata);
  return {
    ...volumeView(ctx, row, attachments, typeName),
    'os-vol-tenant-attr:tenant_id': row.project_id,
    ...(Object.keys(image).length > 0 ? { volume_image_metadata: image } : {}),
    ...(isAdmin(ctx.actor)
      ? {
          'os-vol-host-attr:host': row.host_name === null ? null : poolOf(row.host_name),
          'os-vol-mig-status-attr:migstat': null,
          'os-vol-mig-status-attr:name_id': null,
        }
      : {}),
  };
}
