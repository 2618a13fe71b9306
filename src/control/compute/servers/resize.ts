// Resize: another flavor for a server, with its root kept as it was until its user confirms or reverts. It stays on its
// host, because its root is a file there. Whatever the host cannot do is undone by itself.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { quotaLock } from '../../../kernel/quota.ts';
import { idOf, strict } from '../../../kernel/schema.ts';
import type { ComputeDeps } from '../deps.ts';
import { extraSpecsOf, findFlavor } from '../flavors/service.ts';
import type { FlavorRow } from '../flavors/table.ts';
import { nothing } from '../links.ts';
import { explain, guestProperties } from './boot-request.ts';
import { named } from './boot-plan.ts';
import { refuseIncapable, refuseLocked, wrongState } from './lifecycle.ts';
import { refuseOverUserQuota } from '../quotas/user-quotas.ts';
import { quotaOf, resizeFactsOf, type ResizeFacts } from './phases.ts';
import { beginMigration, setMigration } from './server-migrations.ts';
import { stateOf } from './status.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import type { FlavorCopy, ServerRow } from './table.ts';

export const flavorCopyOf = (flavor: FlavorRow): FlavorCopy => ({
  name: flavor.name,
  vcpus: flavor.vcpus,
  memoryMib: flavor.memory_mib,
  diskGib: flavor.disk_gib,
  ephemeralGib: flavor.ephemeral_gib,
  swapMib: flavor.swap_mib,
  extraSpecs: extraSpecsOf(flavor),
});

const bootsFromVolume = (row: Pick<ServerRow, 'image_id'>): boolean => row.image_id === '';

function refuseFlavor(row: ServerRow, old: FlavorCopy, flavor: FlavorRow): void {
  if (flavor.id === row.flavor_id) throw badRequest('When resizing, instances must change flavor!');
  if (bootsFromVolume(row)) return;
  if (flavor.disk_gib === 0 && old.diskGib > 0)
    throw badRequest('Unable to resize disk: Resize to zero disk flavor is not allowed.');
  if (flavor.disk_gib < old.diskGib)
    throw badRequest(
      `Unable to resize disk down: flavor ${flavor.id} has ${flavor.disk_gib} GiB, instance ${row.id} has ${old.diskGib} GiB, and disks do not shrink.`,
    );
}

/** The image's properties stay, the old flavor's go. */
function propertiesWith(row: ServerRow, old: FlavorCopy, flavor: FlavorRow): Record<string, string> {
  const own = Object.entries(JSON.parse(row.properties) as Record<string, string>).filter(
    ([key, value]) => old.extraSpecs[key] !== value,
  );
  return { ...Object.fromEntries(own), ...guestProperties({ properties: {} }, extraSpecsOf(flavor)) };
}

/** Claims the new flavor beside the old one, whose claim is kept under the migration's name. */
async function claimBoth(
  tx: Tx,
  deps: ComputeDeps,
  row: ServerRow,
  flavor: FlavorRow,
  migration: string,
): Promise<void> {
  const had = await deps.placement.move(tx, row.id, migration);
  const disk = flavor.disk_gib + flavor.ephemeral_gib + Math.ceil(flavor.swap_mib / 1024);
  const placed = await deps.placement.claim(tx, {
    serverId: row.id,
    type: row.type as 'vm' | 'container',
    vcpus: flavor.vcpus,
    memoryMib: flavor.memory_mib,
    diskGib: bootsFromVolume(row) ? 0 : flavor.disk_gib === 0 ? had.diskGib : disk,
    zone: null,
    hostname: row.host_name,
    architecture: null,
    capabilities: [],
    group: null,
  });
  if (!placed.placed) throw badRequest(explain(placed.explanation), 'NoValidHost');
}

async function resizeServer(
  ctx: Ctx,
  deps: ComputeDeps,
  serverId: string,
  asked: { flavorRef: string; 'OS-DCF:diskConfig'?: string },
): Promise<void> {
  const { platform } = ctx;
  const { project_id: projectId } = await findServer(platform.db.read, ctx, serverId);
  await platform.db.tx(
    async (tx) => {
      const row = await findServer(tx, ctx, serverId);
      refuseLocked(ctx, row);
      const { vmState, taskState } = stateOf(row);
      if (vmState !== 'active' && vmState !== 'stopped') throw wrongState('resize', row, 'vm_state', vmState);
      if (taskState !== null) throw wrongState('resize', row, 'task_state', taskState);
      const flavor = await findFlavor(tx, ctx, asked.flavorRef).catch(named('flavorRef'));
      const old = JSON.parse(row.flavor) as FlavorCopy;
      refuseFlavor(row, old, flavor);
      await refuseIncapable(tx, row, { name: 'resize', capability: 'resize' });
      const next = flavorCopyOf(flavor);
      const added = {
        cores: Math.max(0, next.vcpus - old.vcpus),
        ram: Math.max(0, next.memoryMib - old.memoryMib),
      };
      await refuseOverUserQuota(tx, row.project_id, row.user_id, added);
      await platform.quotas.claim(tx, row.project_id, added);
      const migration = await beginMigration(tx, ctx, row, flavor.id);
      await claimBoth(tx, deps, row, flavor, migration);
      const facts: ResizeFacts = {
        migration,
        flavorId: row.flavor_id,
        flavor: old,
        properties: JSON.parse(row.properties) as Record<string, string>,
        power: vmState === 'active' ? 'running' : 'stopped',
        failed: null,
      };
      const saved = await saveServer(
        tx,
        row,
        {
          phase: 'resizing',
          phase_facts: JSON.stringify(facts),
          flavor_id: flavor.id,
          flavor: JSON.stringify(next),
          properties: JSON.stringify(propertiesWith(row, old, flavor)),
          resize_count: row.resize_count + 1,
          desired_version: row.desired_version + 1,
          ...(asked['OS-DCF:diskConfig'] === undefined ? {} : { disk_config: asked['OS-DCF:diskConfig'] }),
        },
        platform.clock.now(),
      );
      await recordAction(tx, ctx, saved, 'resize');
      await audit(tx, ctx, 'server', row.id);
      await platform.work.enqueue(tx, 'server', [row.id]);
    },
    { locks: [quotaLock(projectId)] },
  );
}

/** The row of a server that waits for its user's decision. */
async function resizedServer(tx: Tx, ctx: Ctx, serverId: string, verb: string): Promise<ServerRow> {
  const row = await findServer(tx, ctx, serverId);
  refuseLocked(ctx, row);
  const { vmState, taskState } = stateOf(row);
  if (vmState !== 'resized') throw wrongState(verb, row, 'vm_state', vmState);
  if (taskState !== null) throw wrongState(verb, row, 'task_state', taskState);
  // As Nova, which shows no task while it confirms.
  if (row.phase !== 'resized') throw badRequest('Instance has not been resized.');
  return row;
}

async function confirmServer(ctx: Ctx, serverId: string): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await resizedServer(tx, ctx, serverId, 'confirmResize');
    const now = platform.clock.now();
    const saved = await saveServer(
      tx,
      row,
      { phase: 'confirming', desired_version: row.desired_version + 1 },
      now,
    );
    await setMigration(tx, resizeFactsOf(row)?.migration ?? '', 'confirming', now);
    await recordAction(tx, ctx, saved, 'confirmResize');
    await audit(tx, ctx, 'server', row.id);
    await platform.work.enqueue(tx, 'server', [row.id]);
  });
}

/** The flavors change places; the host does the rest. */
function revertChanges(row: ServerRow, facts: ResizeFacts, failed: string | null): Partial<ServerRow> {
  const other: ResizeFacts = {
    ...facts,
    flavorId: row.flavor_id,
    flavor: JSON.parse(row.flavor) as FlavorCopy,
    properties: JSON.parse(row.properties) as Record<string, string>,
    failed,
  };
  return {
    phase: 'reverting',
    phase_facts: JSON.stringify(other),
    flavor_id: facts.flavorId,
    flavor: JSON.stringify(facts.flavor),
    properties: JSON.stringify(facts.properties),
    power: facts.power,
    resize_count: row.resize_count + 1,
    desired_version: row.desired_version + 1,
    error: null,
    error_at: null,
  };
}

async function revertServer(ctx: Ctx, serverId: string): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await resizedServer(tx, ctx, serverId, 'revertResize');
    const facts = resizeFactsOf(row);
    if (facts === null) throw conflict(`Instance ${row.id} has no flavor to go back to.`);
    const now = platform.clock.now();
    const saved = await saveServer(tx, row, revertChanges(row, facts, null), now);
    await setMigration(tx, facts.migration, 'reverting', now);
    await recordAction(tx, ctx, saved, 'revertResize');
    await audit(tx, ctx, 'server', row.id);
    await platform.work.enqueue(tx, 'server', [row.id]);
  });
}

/** The host has tried what the phase asks of it: on to the next. Returns the row as it is now. */
export async function advanceResize(
  tx: Tx,
  platform: Platform,
  deps: ComputeDeps,
  row: ServerRow,
): Promise<ServerRow> {
  const facts = resizeFactsOf(row);
  if (facts === null) return row;
  const now = platform.clock.now();
  if (row.phase === 'resizing' && row.error !== null) {
    const saved = await saveServer(tx, row, revertChanges(row, facts, row.error), now);
    await setMigration(tx, facts.migration, 'error', now);
    await platform.work.enqueue(tx, 'server', [row.id]);
    return saved;
  }
  if (row.error !== null) return row;
  if (row.phase === 'resizing') {
    await setMigration(tx, facts.migration, 'finished', now);
    return saveServer(tx, row, { phase: 'resized' }, now);
  }
  if (row.phase !== 'confirming' && row.phase !== 'reverting') return row;
  const reverted = row.phase === 'reverting';
  const held = quotaOf(row);
  const own = JSON.parse(row.flavor) as FlavorCopy;
  await platform.quotas.release(tx, row.project_id, {
    cores: held.cores - own.vcpus,
    ram: held.ram - own.memoryMib,
  });
  if (reverted) {
    await deps.placement.release(tx, row.id);
    await deps.placement.move(tx, facts.migration, row.id);
  } else await deps.placement.release(tx, facts.migration);
  if (facts.failed === null)
    await setMigration(tx, facts.migration, reverted ? 'reverted' : 'confirmed', now);
  // What the host has to keep or restore changes with the phase.
  await platform.work.enqueue(tx, 'server', [row.id]);
  return saveServer(tx, row, { phase: null, phase_facts: null }, now);
}

const ids = { server_id: 'server' } as const;
const ACTION = '/v2.1/servers/:server_id/action';

export const resizeRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'resize',
    policy: 'compute:servers:resize',
    summary: 'Give a server another flavor',
    status: 202,
    body: strict({
      flavorRef: idOf('flavor'),
      'OS-DCF:diskConfig': Type.Optional(Type.Union([Type.Literal('AUTO'), Type.Literal('MANUAL')])),
    }),
    async handler({ ctx, params, body }) {
      await resizeServer(ctx, deps, params.server_id, body);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'confirmResize',
    policy: 'compute:servers:confirm-resize',
    summary: 'Keep the new flavor',
    status: 204,
    body: nothing,
    async handler({ ctx, params }) {
      await confirmServer(ctx, params.server_id);
      return {};
    },
  }),
  route({
    method: 'POST',
    path: ACTION,
    ids,
    action: 'revertResize',
    policy: 'compute:servers:revert-resize',
    summary: 'Go back to the old flavor and the old root',
    status: 202,
    body: nothing,
    async handler({ ctx, params }) {
      await revertServer(ctx, params.server_id);
      return {};
    },
  }),
];
