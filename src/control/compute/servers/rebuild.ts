// Rebuild: the root of a server is made anew, of the same or another image; its ports, volumes and id stay.
import { Type, type Static } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, nullable, prose, since, strict, text, until } from '../../../kernel/schema.ts';
import { hostFacts } from '../../host/index.ts';
import type { BootImage } from '../../image/index.ts';
import type { ComputeDeps } from '../deps.ts';
import {
  canonicalIpv6,
  checkFits,
  checkHostname,
  checkUserData,
  guestProperties,
  typeOf,
} from './boot-request.ts';
import { named, publicKeyOf, refuseTooMuchMetadata } from './boot-plan.ts';
import { refuseLocked, wrongState } from './lifecycle.ts';
import { encodeShown, viewFor } from './list.ts';
import { newPassword } from './password.ts';
import { personality, readFiles, refuseTooManyFiles } from './personality.ts';
import { address4, address6, hostname, metadata } from './schema.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import type { BootFacts, FlavorCopy, ServerRow } from './table.ts';
import { type ServerEncoder, updatedView } from './wire.ts';

const rebuildBody = strict({
  imageRef: idOf('image'),
  name: Type.Optional(text(255, 1)),
  adminPass: Type.Optional(text(255)),
  metadata: Type.Optional(metadata),
  accessIPv4: Type.Optional(address4),
  accessIPv6: Type.Optional(address6),
  preserve_ephemeral: Type.Optional(Type.Boolean()),
  'OS-DCF:diskConfig': Type.Optional(Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')])),
  personality: until('2.56', Type.Optional(personality)),
  description: since('2.19', Type.Optional(nullable(prose(255)))),
  key_name: since('2.54', Type.Optional(nullable(text(255, 1)))),
  user_data: since(
    '2.57',
    Type.Optional(nullable(Type.String({ maxLength: 65535, pattern: '^[A-Za-z0-9+/=\\r\\n]*$' }))),
  ),
  trusted_image_certificates: since('2.63', Type.Optional(Type.Null())),
  hostname: since('2.90', Type.Optional(hostname)),
});
type Asked = Static<typeof rebuildBody>;

/** The host stays, so everything that would have chosen another one is asked again (CVE-2017-16239). */
async function refuseMisfit(tx: Tx, row: ServerRow, image: BootImage): Promise<void> {
  const flavor = JSON.parse(row.flavor) as FlavorCopy;
  checkFits({ memory_mib: flavor.memoryMib, disk_gib: flavor.diskGib }, image);
  if (typeOf(image) !== row.type)
    throw badRequest(
      `Image ${image.id} makes ${typeOf(image) === 'vm' ? 'virtual machines' : 'containers'}; instance ${row.id} is a ${row.type === 'vm' ? 'virtual machine' : 'container'} and stays one.`,
    );
  if (flavor.diskGib === 0 && image.id !== row.image_id)
    throw badRequest(
      `The flavor of instance ${row.id} has no disk size, so its disk is as large as its image: it can only be rebuilt from image ${row.image_id}.`,
    );
  const architecture = image.properties['hw_architecture'] ?? image.properties['architecture'];
  const facts = row.host_id === null ? null : await hostFacts(tx, row.host_id);
  if (
    architecture !== undefined &&
    facts !== null &&
    facts !== undefined &&
    facts.architecture !== architecture
  )
    throw badRequest(
      `Image ${image.id} is for ${architecture}; the host of instance ${row.id} is ${facts.architecture}.`,
    );
}

async function changesOf(
  tx: Tx,
  ctx: Ctx,
  row: ServerRow,
  asked: Asked,
  image: BootImage,
): Promise<Partial<ServerRow>> {
  const flavor = JSON.parse(row.flavor) as FlavorCopy;
  const boot: BootFacts = {
    diskFormat: image.diskFormat,
    containerFormat: image.containerFormat,
    hash: image.hash,
    size: image.size,
  };
  const changes: Partial<ServerRow> = {
    image_id: image.id,
    root_image_id: null,
    image: JSON.stringify(boot),
    properties: JSON.stringify(guestProperties(image, flavor.extraSpecs)),
    rebuild_count: row.rebuild_count + 1,
    desired_version: row.desired_version + 1,
    // As Nova: a server that was off stays off.
    power: stateOf(row).vmState === 'stopped' ? 'stopped' : 'running',
  };
  if (asked.name !== undefined) changes.name = asked.name;
  if (asked.description !== undefined) changes.description = asked.description;
  if (asked.accessIPv4 !== undefined) changes.access_ipv4 = asked.accessIPv4;
  if (asked.accessIPv6 !== undefined) changes.access_ipv6 = canonicalIpv6(asked.accessIPv6);
  if (asked['OS-DCF:diskConfig'] !== undefined) changes.disk_config = asked['OS-DCF:diskConfig'];
  if (asked.hostname !== undefined) changes.hostname = checkHostname(asked.hostname, ctx.microversion);
  if (asked.user_data !== undefined) changes.user_data = checkUserData(asked.user_data);
  if (asked.personality !== undefined && asked.personality.length > 0) {
    const files = readFiles(asked.personality);
    await refuseTooManyFiles(tx, ctx, row.project_id, files);
    Object.assign(changes, { files: JSON.stringify(files), config_drive: 1 });
  }
  if (asked.key_name !== undefined) {
    changes.key_name = asked.key_name;
    changes.public_key = await publicKeyOf(tx, ctx, asked.key_name);
  }
  if (asked.metadata !== undefined) {
    await refuseTooMuchMetadata(tx, ctx, row.project_id, Object.keys(asked.metadata).length);
    changes.metadata = JSON.stringify(asked.metadata);
  }
  return changes;
}

export function rebuildServer(
  ctx: Ctx,
  deps: ComputeDeps,
  serverId: string,
  asked: Asked,
): Promise<ServerRow> {
  return ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseLocked(ctx, row);
    const { vmState, taskState } = stateOf(row);
    if (!['active', 'stopped', 'error'].includes(vmState))
      throw wrongState('rebuild', row, 'vm_state', vmState);
    if (taskState !== null || row.phase !== null)
      throw wrongState('rebuild', row, 'task_state', taskState ?? row.phase ?? '');
    if (row.host_id === null)
      throw conflict(
        `Cannot 'rebuild' instance ${row.id}: it was never placed on a host. Delete it and create it again.`,
      );
    if (row.image_id === '')
      throw badRequest(
        `Unable to rebuild instance ${row.id}: it boots from a volume, whose content a rebuild does not replace. Create a server with a new volume.`,
      );
    const image = await deps.images.forBoot(tx, ctx, asked.imageRef).catch(named('imageRef'));
    await refuseMisfit(tx, row, image);
    const changes = await changesOf(tx, ctx, row, asked, image);
    const next = await saveServer(tx, row, changes, ctx.platform.clock.now());
    await recordAction(tx, ctx, next, 'rebuild');
    await audit(tx, ctx, 'server', row.id);
    await ctx.platform.work.enqueue(tx, 'server', [row.id]);
    return next;
  });
}

/** From 2.75 on as a server is shown, but that user_data stands under its own name. */
async function rebuiltView(ctx: Ctx, encoder: ServerEncoder, row: ServerRow): Promise<object> {
  if (ctx.microversion < 75) return updatedView(row, viewFor(ctx));
  const shown = JSON.parse((await encodeShown(ctx, encoder, row)).toString()) as Record<string, unknown>;
  const { 'OS-EXT-SRV-ATTR:user_data': _userData, ...view } = shown;
  return view;
}

export const rebuildRoute = (deps: ComputeDeps, encoder: ServerEncoder): Route =>
  route({
    method: 'POST',
    path: '/v2.1/servers/:server_id/action',
    ids: { server_id: 'server' },
    action: 'rebuild',
    policy: 'compute:servers:rebuild',
    summary: 'Make the root of a server anew',
    status: 202,
    body: rebuildBody,
    async handler({ ctx, params, body }) {
      const row = await rebuildServer(ctx, deps, params.server_id, body);
      const minor = ctx.microversion;
      return {
        headers: { location: `${ctx.platform.publicUrl}/compute/v2.1/servers/${row.id}` },
        body: {
          server: {
            ...(await rebuiltView(ctx, encoder, row)),
            ...(minor >= 54 ? { key_name: row.key_name } : {}),
            ...(minor >= 57 ? { user_data: row.user_data } : {}),
            adminPass: body.adminPass ?? newPassword(),
          },
        },
      };
    },
  });
