// What hosts report of ports, routers and networks, to the status columns that the API shows.
import type { Tx } from '../../../kernel/db/index.ts';
import type { RouterBody } from '../../../protocol/items.ts';
import { compiledItems, reportedSomewhere, type HostReport } from '../../host/index.ts';
import { DHCP_OWNER } from '../ports/dhcp-port.ts';

const last = (reports: readonly HostReport[]): Map<string, HostReport> =>
  new Map(reports.map((report) => [report.id, report]));

export async function onPortReports(tx: Tx, reports: HostReport[]): Promise<void> {
  const rows = await tx
    .selectFrom('ports')
    .select(['id', 'host_id', 'status', 'error'])
    .where(
      'id',
      'in',
      reports.map((report) => report.id),
    )
    .execute();
  const up: string[] = [];
  for (const row of rows) {
    const report = reports.findLast((one) => one.id === row.id && one.hostId === row.host_id);
    if (report === undefined) continue; // of a host that had it before
    if (report.state === 'applied') {
      if (row.status !== 'ACTIVE' || row.error !== '') up.push(row.id);
    } else if (row.status !== 'DOWN' || row.error !== (report.error ?? ''))
      await tx
        .updateTable('ports')
        .set({ status: 'DOWN', error: report.error ?? '' })
        .where('id', '=', row.id)
        .execute();
  }
  if (up.length > 0)
    await tx.updateTable('ports').set({ status: 'ACTIVE', error: '' }).where('id', 'in', up).execute();
}

/** A report says something of exactly what the item held at its generation: an older one changes no floating IP. */
export async function onRouterReports(tx: Tx, reports: HostReport[]): Promise<void> {
  const ids = [...last(reports).keys()];
  const rows = await tx.selectFrom('routers').select(['id', 'host_id']).where('id', 'in', ids).execute();
  const items = await compiledItems(tx, 'router', ids);
  for (const row of rows) {
    const report = reports.findLast((one) => one.id === row.id && one.hostId === row.host_id);
    const item = items.find((one) => one.id === row.id);
    if (report === undefined || item === undefined || report.generation !== item.generation) continue;
    const body = JSON.parse(item.body) as RouterBody;
    const portIds = [
      ...body.interfaces.map((one) => one.portId),
      ...(body.gateway === null ? [] : [body.gateway.portId]),
    ];
    const applied = report.state === 'applied';
    await tx
      .updateTable('routers')
      .set({ status: report.state === 'failed' ? 'ERROR' : 'ACTIVE', error: report.error ?? '' })
      .where('id', '=', row.id)
      .execute();
    if (portIds.length > 0)
      await tx
        .updateTable('ports')
        .set({ status: applied && body.adminUp ? 'ACTIVE' : 'DOWN', error: report.error ?? '' })
        .where('id', 'in', portIds)
        .where('device_id', '=', row.id)
        .execute();
    const floating = [
      ...body.floatingIps.map((one) => one.id),
      ...new Set(body.portForwardings?.map((one) => one.floatingIpId)),
    ];
    if (floating.length > 0)
      await tx
        .updateTable('floating_ips')
        .set({ status: applied ? 'ACTIVE' : report.state === 'failed' ? 'ERROR' : 'DOWN' })
        .where('id', 'in', floating)
        .where('router_id', '=', row.id)
        .execute();
  }
}

export async function onNetworkReports(tx: Tx, reports: HostReport[]): Promise<void> {
  for (const [id, report] of last(reports)) {
    if (report.state === 'failed')
      await tx
        .updateTable('networks')
        .set({ status: 'ERROR', error: report.error ?? '' })
        .where('id', '=', id)
        .execute();
    else if (!(await reportedSomewhere(tx, 'network', id, 'failed')))
      await tx
        .updateTable('networks')
        .set({ status: 'ACTIVE', error: '' })
        .where('id', '=', id)
        .where('status', '!=', 'ACTIVE')
        .execute();
    const status = (await reportedSomewhere(tx, 'network', id, 'applied')) ? 'ACTIVE' : 'DOWN';
    await tx
      .updateTable('ports')
      .set({ status })
      .where('network_id', '=', id)
      .where('device_owner', '=', DHCP_OWNER)
      .where('status', '!=', status)
      .execute();
  }
}
