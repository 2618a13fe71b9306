// The verbs that change a server's power or end it. Each writes what is wanted and leaves the rest to the host.
import { audit } from '../../../kernel/audit.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import { conflict, forbidden } from '../../../kernel/errors.ts';
import type { Ctx, Platform } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { HOST_DOWN_MS, hostFacts, hostSigns } from '../../host/index.ts';
import type { ComputeDeps } from '../deps.ts';
import { quotaOf, resizeFactsOf, shelveFactsOf } from './phases.ts';
import { setMigration } from './server-migrations.ts';
import { keepDeleted } from './deleted.ts';
import { findServer, recordAction, saveServer } from './store.ts';
import { stateOf, type TaskState, type VmState } from './status.ts';
import type { ServerRow } from './table.ts';

export function refuseLocked(ctx: Ctx, row: ServerRow): void {
  if (row.locked === 1 && !isAdmin(ctx.actor)) throw conflict(`Instance ${row.id} is locked.`);
}

export const wrongState = (verb: string, row: ServerRow, attribute: string, value: string) =>
  conflict(`Cannot '${verb}' instance ${row.id} while it is in ${attribute} ${value}`);

export type PowerVerb = {
  /** As Nova names it in errors and in the history. */
  name: string;
  from: readonly VmState[];
  /** Tasks during which it may be asked again. */
  during?: readonly TaskState[];
  power: ServerRow['power'];
  reboot?: 'soft' | 'hard';
  /** What the host's guest driver must be able to do. */
  capability?: 'pause' | 'suspend';
};

export const powerVerbs = {
  start: { name: 'start', from: ['stopped'], power: 'running' },
  stop: { name: 'stop', from: ['active', 'error'], power: 'stopped' },
  softReboot: { name: 'reboot', from: ['active'], power: 'running', reboot: 'soft' },
  hardReboot: {
    name: 'reboot',
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    during: ['rebooting', 'rebooting_hard'],
    power: 'running',
    reboot: 'hard',
  },
  pause: { name: 'pause', from: ['active'], power: 'paused', capability: 'pause' },
  unpause: { name: 'unpause', from: ['paused'], power: 'running' },
  suspend: { name: 'suspend', from: ['active'], power: 'suspended', capability: 'suspend' },
  resume: { name: 'resume', from: ['suspended'], power: 'running' },
} as const satisfies Record<string, PowerVerb>;

export async function refuseIncapable(
  tx: Tx,
  row: ServerRow,
  verb: { name: string; capability?: 'pause' | 'suspend' | 'snapshot' | 'resize' | 'rescue' | 'nmi' },
): Promise<void> {
  if (verb.capability === undefined || row.host_id === null) return;
  const facts = await hostFacts(tx, row.host_id);
  const guest = facts?.guests.find((one) => one.type === row.type);
  if (guest?.capabilities.includes(verb.capability) === true) return;
  throw conflict(
    `Cannot '${verb.name}' instance ${row.id}: it is a ${row.type === 'vm' ? 'virtual machine' : 'container'}, and ${guest?.hypervisorType ?? 'its hypervisor'} on its host cannot ${verb.capability} those.`,
  );
}

export async function changePower(ctx: Ctx, serverId: string, verb: PowerVerb): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    refuseLocked(ctx, row);
    const { vmState, taskState } = stateOf(row);
    if (!verb.from.includes(vmState)) throw wrongState(verb.name, row, 'vm_state', vmState);
    if (taskState !== null && verb.during?.includes(taskState) !== true)
      throw wrongState(verb.name, row, 'task_state', taskState);
    if (row.host_id === null)
      throw conflict(
        `Cannot '${verb.name}' instance ${row.id}: it was never placed on a host. Delete it and create it again.`,
      );
    await refuseIncapable(tx, row, verb);
    if (verb.capability === 'suspend' && row.volumes !== '[]')
      throw conflict(
        `Cannot 'suspend' instance ${row.id}: it has volumes, whose content would not wait for it. Detach them, or pause it.`,
      );
    const changes: Partial<ServerRow> = { power: verb.power, desired_version: row.desired_version + 1 };
    if (verb.reboot !== undefined)
      Object.assign(changes, {
        reboot_count: row.reboot_count + 1,
        reboot_hard: verb.reboot === 'hard' ? 1 : 0,
      });
    const next = await saveServer(tx, row, changes, ctx.platform.clock.now());
    await recordAction(tx, ctx, next, verb.name);
    await audit(tx, ctx, 'server', row.id);
    await ctx.platform.work.enqueue(tx, 'server', [row.id]);
  });
}

/** os-resetState: an operator's word on the fault of a server. The rest of its state stays what is observed. */
export async function resetState(ctx: Ctx, serverId: string, state: 'active' | 'error'): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    const now = ctx.platform.clock.now();
    if (state === 'active' && row.error !== null && row.observed_power === null)
      throw conflict(
        `Cannot 'reset' instance ${row.id}: it never ran, so there is no state to go back to. Reboot it hard, or delete it.`,
      );
    const changes: Partial<ServerRow> =
      state === 'active'
        ? { error: null, error_at: null }
        : { error: 'An operator set the state of this server to error.', error_at: now };
    const next = await saveServer(tx, row, changes, now);
    await recordAction(tx, ctx, next, 'reset_state', { done: true });
    await audit(tx, ctx, 'server', row.id);
  });
}

export async function setLock(
  ctx: Ctx,
  serverId: string,
  lock: { reason: string | null } | null,
): Promise<void> {
  await ctx.platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    const admin = isAdmin(ctx.actor);
    if (lock === null && row.locked_by === 'admin' && !admin)
      throw forbidden(
        'Policy does not allow os_compute_api:os-lock-server:unlock:unlock_override to be performed: an operator locked this server.',
      );
    const owner = row.project_id === projectOf(ctx.actor);
    const changes: Partial<ServerRow> =
      lock === null
        ? { locked: 0, locked_by: null, locked_reason: null }
        : // An owner's lock does not weaken an operator's.
          {
            locked: 1,
            locked_by: row.locked_by === 'admin' || !owner ? 'admin' : 'owner',
            locked_reason: lock.reason,
          };
    const next = await saveServer(tx, row, changes, ctx.platform.clock.now());
    await recordAction(tx, ctx, next, lock === null ? 'unlock' : 'lock', { done: true });
    await audit(tx, ctx, 'server', row.id);
  });
}

/** Gives back all that the server had and forgets it. */
export async function finishDelete(
  tx: Tx,
  platform: Platform,
  deps: ComputeDeps,
  row: ServerRow,
): Promise<void> {
  const resize = resizeFactsOf(row);
  if (resize !== null) {
    await deps.placement.release(tx, resize.migration);
    // As Nova: who deletes a server has decided about its resize.
    if (resize.failed === null)
      await setMigration(
        tx,
        resize.migration,
        row.phase === 'resized' ? 'confirmed' : 'error',
        platform.clock.now(),
      );
  }
  const shelvedImage = shelveFactsOf(row)?.imageId ?? null;
  if (shelvedImage !== null) await deps.images.discard(tx, shelvedImage);
  await deps.network.releasePorts(tx, row.id);
  await deps.volumes.gone(tx, row.id);
  if (row.host_id !== null) await deps.placement.release(tx, row.id);
  await platform.quotas.release(tx, row.project_id, {
    instances: 1,
    ...quotaOf(row),
  });
  await tx.deleteFrom('server_images').where('server_id', '=', row.id).execute();
  await tx.deleteFrom('server_backups').where('server_id', '=', row.id).execute();
  await tx.deleteFrom('server_tags').where('server_id', '=', row.id).execute();
  await tx.deleteFrom('server_passwords').where('server_id', '=', row.id).execute();
  await keepDeleted(tx, row, platform.clock.now());
  await tx.deleteFrom('servers').where('id', '=', row.id).execute();
}

/** Marks the server as deleting; it is gone when its host says so, or at once when no host has it. Repeatable. */
export async function deleteServer(ctx: Ctx, deps: ComputeDeps, serverId: string): Promise<void> {
  const { platform } = ctx;
  await platform.db.tx(async (tx) => {
    const row = await findServer(tx, ctx, serverId);
    const now = platform.clock.now();
    const sign = row.host_id === null ? undefined : (await hostSigns(tx, [row.host_id])).get(row.host_id);
    // A host that is down cannot say that the guest is gone; it removes it when it comes back.
    const abandoned = sign === undefined || now - sign.seenAt > HOST_DOWN_MS;
    if (row.deleting === 1 && !abandoned) return;
    refuseLocked(ctx, row);
    await audit(tx, ctx, 'server', row.id);
    const hosts = await deps.hosts.items.subscribers(tx, 'server', row.id);
    if (row.item_generation > 0) await deps.hosts.items.drop(tx, 'server', row.id);
    // Its item has been dropped already, and the host has not said yet that the guest is gone.
    const leaving = hosts.length > 0 || row.phase === 'offloading';
    if (abandoned || !leaving) return finishDelete(tx, platform, deps, row);
    const next = await saveServer(tx, row, { deleting: 1, desired_version: row.desired_version + 1 }, now);
    await recordAction(tx, ctx, next, 'delete');
  });
}
