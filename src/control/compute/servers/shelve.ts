// Shelving: an image is made of a server's root, and its host gets everything back; name, addresses, volumes and quota
// stay. A server that boots from a volume needs no image. Unshelved it is placed anew and made of that image.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, CloudError, conflict, forbidden } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { since, strict, text } from '../../../kernel/schema.ts';
import { zoneExists } from '../../host/index.ts';
import type { PlacementRequest } from '../../placement/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { rulesOf } from '../server-groups/service.ts';
import { nothing } from '../links.ts';
import { explain } from './boot-request.ts';
import { reserveServerImage } from './create-image.ts';
import { refuseLocked, wrongState } from './lifecycle.ts';
import { beginOffload } from './offload.ts';
import { shelveFactsOf, type ShelveFacts } from './phases.ts';
import { stateOf, type VmState } from './status.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import type { BootFacts, FlavorCopy, Power, ServerRow } from './table.ts';
import { volumesOf } from './volume-attachments.ts';

const powers: Partial<Record<VmState, Power>> = {
  active: 'running',
  stopped: 'stopped',
  paused: 'paused',
  suspended: 'suspended',
};

async function shelveServer(ctx: Ctx, deps: ComputeDeps, serverId: string): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseLocked(ctx, row);
    const { vmState, taskState } = stateOf(row);
    const power = powers[vmState];
    if (power === undefined) throw wrongState('shelve', row, 'vm_state', vmState);
    if (taskState !== null) throw wrongState('shelve', row, 'task_state', taskState);
    const imageId =
      row.image_id === ''
        ? null
        : await reserveServerImage(tx, ctx, deps, row, {
            name: `${row.name.slice(0, 247)}-shelved`,
            verb: 'shelve',
            purpose: 'shelve',
          });
    const facts: ShelveFacts = { imageId, power, diskGib: null };
    const saved = await saveServer(
      tx,
      row,
      {
        phase: 'shelving',
        phase_facts: JSON.stringify(facts),
        power: 'stopped',
        desired_version: row.desired_version + 1,
      },
      platform.clock.now(),
    );
    await recordAction(tx, ctx, saved, 'shelve');
    await audit(tx, ctx, 'server', row.id);
    await platform.work.enqueue(tx, 'server', [row.id]);
  });
}

async function offloadServer(ctx: Ctx, deps: ComputeDeps, serverId: string): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseLocked(ctx, row);
    const { vmState, taskState } = stateOf(row);
    if (vmState !== 'shelved') throw wrongState('shelveOffload', row, 'vm_state', vmState);
    if (taskState !== null) throw wrongState('shelveOffload', row, 'task_state', taskState);
    const saved = await beginOffload(tx, deps, row, platform.clock.now());
    await recordAction(tx, ctx, saved, 'shelveOffload', { done: true });
    await audit(tx, ctx, 'server', row.id);
  });
}

type UnshelveRequest = { zone: string | null | undefined; host: string | null };

/** The group that a server is in: its rule, and where the others are. */
async function groupOf(tx: Tx, row: ServerRow): Promise<PlacementRequest['group']> {
  if (row.group_id === null) return null;
  const group = await tx
    .selectFrom('server_groups')
    .select(['policy', 'rules'])
    .where('id', '=', row.group_id)
    .executeTakeFirst();
  if (group === undefined) return null;
  const others = await tx
    .selectFrom('servers')
    .select('host_id')
    .where('group_id', '=', row.group_id)
    .where('deleting', '=', 0)
    .where('id', '!=', row.id)
    .execute();
  return {
    policy: group.policy,
    hostIds: others.flatMap((one) => one.host_id ?? []),
    maxPerHost: rulesOf(group).max_server_per_host ?? 1,
  };
}

/** Places the server as a new one is placed; 400 with the reason when no host takes it. */
async function placeAgain(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  row: ServerRow,
  facts: ShelveFacts,
  asked: UnshelveRequest,
): Promise<Partial<ServerRow>> {
  const zone = asked.zone === undefined ? row.pinned_zone : asked.zone;
  if (zone !== null && !(await zoneExists(tx, zone)))
    throw badRequest(`The requested availability zone is not available: ${zone}.`);
  const volumes = volumesOf(row);
  const volumeHosts = new Set<string>();
  for (const one of volumes)
    volumeHosts.add((await deps.volumes.find(tx, ctx, one.volumeId)).host_name ?? '');
  const [volumeHost = null] = volumeHosts;
  const flavor = JSON.parse(row.flavor) as FlavorCopy;
  const properties = JSON.parse(row.properties) as Record<string, string>;
  const placed = await deps.placement.claim(tx, {
    serverId: row.id,
    type: row.type as 'vm' | 'container',
    vcpus: flavor.vcpus,
    memoryMib: flavor.memoryMib,
    diskGib: facts.diskGib ?? 0,
    zone,
    hostname: asked.host ?? volumeHost,
    architecture: properties['hw_architecture'] ?? null,
    capabilities: [],
    group: await groupOf(tx, row),
  });
  if (!placed.placed) throw badRequest(explain(placed.explanation), 'NoValidHost');
  await deps.network.bindPorts(tx, row.id, placed.hostId);
  return {
    host_id: placed.hostId,
    host_name: placed.hostname,
    zone: placed.zone,
    explanation: JSON.stringify(placed.explanation),
    ...(asked.zone === undefined ? {} : { pinned_zone: asked.zone }),
  };
}

/** What the root is made of now. */
async function rootOf(
  tx: Tx,
  ctx: Ctx,
  deps: ComputeDeps,
  row: ServerRow,
  imageId: string,
): Promise<Partial<ServerRow>> {
  const image = await deps.images.forBoot(tx, ctx, imageId).catch((error: unknown) => {
    throw error instanceof CloudError
      ? conflict(
          `Cannot 'unshelve' instance ${row.id}: its image ${imageId} cannot be used. ${error.publicMessage}`,
        )
      : error;
  });
  const boot: BootFacts = {
    diskFormat: image.diskFormat,
    containerFormat: image.containerFormat,
    hash: image.hash,
    size: image.size,
  };
  return { root_image_id: imageId, image: JSON.stringify(boot) };
}

async function unshelveServer(
  ctx: Ctx,
  deps: ComputeDeps,
  serverId: string,
  asked: UnshelveRequest,
): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseLocked(ctx, row);
    const { vmState, taskState } = stateOf(row);
    const facts = shelveFactsOf(row);
    if (facts === null || (vmState !== 'shelved' && vmState !== 'shelved_offloaded'))
      throw wrongState('unshelve', row, 'vm_state', vmState);
    if (taskState !== null) throw wrongState('unshelve', row, 'task_state', taskState);
    const here = vmState === 'shelved';
    if (here && (asked.zone !== undefined || asked.host !== null))
      throw wrongState('unshelve', row, 'vm_state', vmState);
    const changes: Partial<ServerRow> = here
      ? { phase: null, phase_facts: null }
      : {
          phase: 'unshelving',
          ...(await placeAgain(tx, ctx, deps, row, facts, asked)),
          ...(facts.imageId === null ? {} : await rootOf(tx, ctx, deps, row, facts.imageId)),
        };
    if (here && facts.imageId !== null) await deps.images.discard(tx, facts.imageId);
    const saved = await saveServer(
      tx,
      row,
      { ...changes, power: 'running', desired_version: row.desired_version + 1 },
      platform.clock.now(),
    );
    await recordAction(tx, ctx, saved, 'unshelve');
    await audit(tx, ctx, 'server', row.id);
    await platform.work.enqueue(tx, 'server', [row.id]);
  });
}

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';

const simple = (
  action: 'shelve' | 'shelveOffload',
  policy: string,
  summary: string,
  run: (ctx: Ctx, serverId: string) => Promise<void>,
): Route =>
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action,
    policy,
    summary,
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      await run(ctx, params.server_id);
      return {};
    },
  });

export const shelveRoutes = (deps: ComputeDeps): Route[] => [
  simple('shelve', 'compute:servers:shelve', 'Shelve a server', (ctx, id) => shelveServer(ctx, deps, id)),
  simple('shelveOffload', 'compute:servers:shelve-offload', 'Take a shelved server off its host', (ctx, id) =>
    offloadServer(ctx, deps, id),
  ),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'unshelve',
    policy: 'compute:servers:unshelve',
    summary: 'Unshelve a server',
    status: 202,
    body: Type.Union([
      nothing,
      since(
        '2.77',
        strict({
          availability_zone: Type.Optional(Type.Union([text(255, 1), since('2.91', Type.Null())])),
          host: since('2.91', Type.Optional(text(255, 1))),
        }),
      ),
    ]),
    async handler({ ctx, params, body }) {
      const asked = (body ?? {}) as { availability_zone?: string | null; host?: string };
      if (asked.host !== undefined && !isAdmin(ctx.actor))
        throw forbidden("Policy doesn't allow os_compute_api:os-shelve:unshelve_to_host to be performed.");
      await unshelveServer(ctx, deps, params.server_id, {
        zone: asked.availability_zone,
        host: asked.host ?? null,
      });
      return {};
    },
  }),
];
