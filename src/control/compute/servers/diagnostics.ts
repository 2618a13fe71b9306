// Diagnostics: what a host measures of a guest that runs, in the reference's form of before 2.48 and from then on;
// and its topology. api-ref "Servers diagnostics", "Server topology".
import { conflict, unavailable } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { GuestFigures } from '../../../protocol/link.ts';
import type { ComputeDeps } from '../deps.ts';
import { stateOf } from './status.ts';
import { findServer } from './store.ts';
import type { ServerRow } from './table.ts';
import { portsOf } from './wire.ts';

const KIB = 1024;
/** The form that says what each figure is. */
const SPOKEN = 48;

/** Names of disks and interfaces are those that the reference's hypervisor driver gives. */
function flatView(row: ServerRow, figures: GuestFigures): Record<string, number | null> {
  const ports = portsOf(row);
  return Object.fromEntries([
    ...figures.cpus.map(({ id, timeNs }) => [`cpu${id}_time`, timeNs]),
    ['memory', figures.memory.maximumMib * KIB],
    ['memory-actual', figures.memory.maximumMib * KIB],
    ...(figures.memory.usedMib === null ? [] : [['memory-rss', figures.memory.usedMib * KIB]]),
    ...figures.disks.flatMap((disk, at) => {
      const name = `vd${String.fromCharCode('a'.charCodeAt(0) + (at % 26))}`;
      return [
        [`${name}_read`, disk.readBytes],
        [`${name}_read_req`, disk.readRequests],
        [`${name}_write`, disk.writeBytes],
        [`${name}_write_req`, disk.writeRequests],
        [`${name}_errors`, disk.errors],
      ];
    }),
    ...figures.nics.flatMap((nic) => {
      const name = `tap${(ports.find((port) => port.mac === nic.mac)?.portId ?? nic.mac).slice(0, 11)}`;
      return [
        [`${name}_rx`, nic.rxOctets],
        [`${name}_rx_packets`, nic.rxPackets],
        [`${name}_rx_errors`, nic.rxErrors],
        [`${name}_rx_drop`, nic.rxDrop],
        [`${name}_tx`, nic.txOctets],
        [`${name}_tx_packets`, nic.txPackets],
        [`${name}_tx_errors`, nic.txErrors],
        [`${name}_tx_drop`, nic.txDrop],
      ];
    }),
  ]) as Record<string, number | null>;
}

const spokenView = (row: ServerRow, figures: GuestFigures, hypervisor: string) => ({
  state: row.observed_power === 'paused' ? 'paused' : 'running',
  // Of the names that the API has for drivers, the one whose guests these are like.
  driver: 'libvirt',
  hypervisor,
  hypervisor_os: 'linux',
  uptime: figures.uptimeS,
  config_drive: row.config_drive === 1,
  num_cpus: figures.cpus.length,
  num_nics: figures.nics.length,
  num_disks: figures.disks.length,
  memory_details: { maximum: figures.memory.maximumMib, used: figures.memory.usedMib },
  cpu_details: figures.cpus.map(({ id, timeNs }) => ({ id, time: timeNs, utilisation: null })),
  nic_details: figures.nics.map((nic) => ({
    mac_address: nic.mac,
    rx_octets: nic.rxOctets,
    rx_errors: nic.rxErrors,
    rx_drop: nic.rxDrop,
    rx_packets: nic.rxPackets,
    rx_rate: null,
    tx_octets: nic.txOctets,
    tx_errors: nic.txErrors,
    tx_drop: nic.txDrop,
    tx_packets: nic.txPackets,
    tx_rate: null,
  })),
  disk_details: figures.disks.map((disk) => ({
    read_bytes: disk.readBytes,
    read_requests: disk.readRequests,
    write_bytes: disk.writeBytes,
    write_requests: disk.writeRequests,
    errors_count: disk.errors,
  })),
});

const ids = { server_id: 'server' } as const;

export const diagnosticsRoutes = (deps: ComputeDeps): Route[] => [
  route({
    method: 'GET',
    path: '/v2.1/servers/:server_id/diagnostics',
    ids,
    policy: 'compute:servers:diagnostics',
    summary: 'Show what the host measures of a server',
    async handler({ ctx, params }) {
      const row = await findServer(ctx.platform.db.read, ctx, params.server_id);
      const { vmState } = stateOf(row);
      if (row.host_id === null || (row.observed_power !== 'running' && row.observed_power !== 'paused'))
        throw conflict(
          `Cannot 'get_diagnostics' instance ${row.id} while it is in vm_state ${vmState}: only a guest that runs can be measured.`,
        );
      const host = deps.hosts.queries(row.host_id);
      if (host === null)
        throw unavailable(`The host of instance ${row.id} is not connected; try again when it is back.`);
      const figures = (await host.figures?.(row.id)) ?? null;
      if (figures === null)
        throw conflict(
          `Instance ${row.id} does not run on its host any more, so there is nothing to measure.`,
        );
      return {
        body:
          ctx.microversion < SPOKEN
            ? flatView(row, figures)
            : spokenView(row, figures, row.type === 'vm' ? 'qemu' : 'podman'),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/servers/:server_id/topology',
    ids,
    policy: 'compute:servers:show',
    summary: 'Show the NUMA topology of a server',
    since: '2.78',
    async handler({ ctx, params }) {
      await findServer(ctx.platform.db.read, ctx, params.server_id);
      // Guests have no NUMA nodes here: the reference's answer for those that asked for none.
      return { body: { nodes: [], pagesize_kb: null } };
    },
  }),
];
