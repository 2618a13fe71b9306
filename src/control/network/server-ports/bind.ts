// Binding the ports of a server to its host, and releasing them with the server.
import type { Tx } from '../../../kernel/db/index.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { hostnames } from '../../host/index.ts';
import { forgetPorts } from '../floating-ips/association.ts';
import { deletePorts } from '../ports/insert.ts';
import type { PortRow } from '../ports/table.ts';

export async function bindPorts(
  tx: Tx,
  platform: Platform,
  serverId: string,
  hostId: string | null,
): Promise<void> {
  const ports = await tx
    .selectFrom('ports')
    .select(['id', 'host_id'])
    .where('server_id', '=', serverId)
    .execute();
  const moved = ports.filter((port) => port.host_id !== (hostId ?? '')).map((port) => port.id);
  if (moved.length === 0) return;
  const hostname = hostId === null ? '' : ((await hostnames(tx, [hostId])).get(hostId) ?? '');
  await tx
    .updateTable('ports')
    .set({ host_id: hostId ?? '', binding_host: hostname, status: 'DOWN', error: '' })
    .where('id', 'in', moved)
    .execute();
  await platform.work.enqueue(tx, 'port', moved);
}

export async function releasePorts(tx: Tx, platform: Platform, serverId: string): Promise<void> {
  await giveBack(
    tx,
    platform,
    await tx
      .selectFrom('ports')
      .select(['id', 'project_id', 'server_made'])
      .where('server_id', '=', serverId)
      .execute(),
  );
}

/** Deletes the ports that were made for a server, with their addresses and quota; the others are their owner's again. */
export async function giveBack(
  tx: Tx,
  platform: Platform,
  ports: readonly Pick<PortRow, 'id' | 'project_id' | 'server_made'>[],
): Promise<void> {
  const made = ports.filter((port) => port.server_made === 1);
  const kept = ports.filter((port) => port.server_made === 0).map((port) => port.id);
  if (made.length > 0) {
    const ids = made.map((port) => port.id);
    await forgetPorts(tx, { platform }, ids);
    await deletePorts(tx, { platform }, ids);
    for (const [projectId, ofProject] of Map.groupBy(made, (port) => port.project_id))
      await platform.quotas.release(tx, projectId, { port: ofProject.length });
  }
  if (kept.length === 0) return;
  await tx
    .updateTable('ports')
    .set({
      server_id: '',
      server_position: 0,
      server_tag: null,
      leave_generation: null,
      plug: '',
      hostname: '',
      device_id: '',
      device_owner: '',
      host_id: '',
      binding_host: '',
      status: 'DOWN',
      error: '',
      updated_at: platform.clock.now(),
    })
    .where('id', 'in', kept)
    .execute();
  await platform.work.enqueue(tx, 'port', kept);
}
