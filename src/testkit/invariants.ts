// What has to hold of a simulated cloud once it has come to rest. Every check compares two independent truths: rows
// with rows, or rows with what the simulated kernels hold; none asks the compiled items alone.
import { backups, volumes } from './volume-invariants.ts';
import type { FlavorCopy } from '../control/compute/servers/table.ts';
import type { Reader } from '../kernel/db/index.ts';
import { addresses, claims, differences, ledger, type Rows } from './books.ts';
import type { SimHost } from './sim-host.ts';
import type { World } from './world.ts';

/** What is looked at: of a simulated world, or of a cloud on the real clock. */
export type Observed = Pick<World, 'read' | 'errors' | 'hosts'> & { backups?: World['backups'] };

/** What clients saw and did, for the checks that need it. */
export type Witness = {
  /** Servers whose create was acknowledged and that nobody asked to delete. */
  created: ReadonlySet<string>;
  /** Servers whose delete was acknowledged. */
  deleted: ReadonlySet<string>;
  /** server -> incarnation when it was last seen running; only of servers that nobody touched since. */
  running: ReadonlyMap<string, number>;
  /** Servers that a driver refused for good; absent: not known. */
  refused?: ReadonlySet<string>;
};

async function readRows(read: Reader): Promise<Rows> {
  return {
    servers: await read.selectFrom('servers').selectAll().execute(),
    ports: await read.selectFrom('ports').selectAll().execute(),
    hosts: await read.selectFrom('hosts').selectAll().execute(),
    routers: await read.selectFrom('routers').selectAll().execute(),
    memberships: await read.selectFrom('port_security_groups').selectAll().execute(),
    rules: await read.selectFrom('security_group_rules').selectAll().execute(),
    volumes: await read.selectFrom('volumes').selectAll().execute(),
    snapshots: await read.selectFrom('volume_snapshots').selectAll().execute(),
    attachments: await read.selectFrom('volume_attachments').selectAll().execute(),
  };
}

function statuses(rows: Rows, refused: ReadonlySet<string> | undefined): string[] {
  return rows.servers.flatMap((row) => {
    const name = `server ${row.id} (${row.name})`;
    if (row.deleting === 1) return [`${name} is stuck in its deletion`];
    if (
      ![
        'ACTIVE',
        'SHUTOFF',
        'PAUSED',
        'SUSPENDED',
        'RESCUE',
        'VERIFY_RESIZE',
        'SHELVED_OFFLOADED',
        'ERROR',
      ].includes(row.status)
    )
      return [`${name} is stuck in ${row.status}`];
    if (row.status !== 'ERROR') return [];
    if ((row.error ?? '') === '') return [`${name} is in ERROR without a fault`];
    return row.host_id === null || refused === undefined || refused.has(row.id)
      ? []
      : [`${name} is in ERROR, though no driver refused it for good: ${row.error}`];
  });
}

/** Desired, by rows: what should be on this host. */
function wantedOn(
  rows: Rows,
  hostId: string,
): {
  guests: string[];
  networks: Set<string>;
  ports: string[];
  routers: string[];
  groups: Set<string>;
  addressGroups: Set<string>;
} {
  const ports = rows.ports.filter((port) => port.host_id === hostId && port.server_id !== '');
  const routers = rows.routers
    .filter((router) => router.host_id === hostId && rows.ports.some((port) => port.device_id === router.id))
    .map((router) => router.id);
  const ids = new Set(ports.map((port) => port.id));
  const groups = new Set(
    rows.memberships.filter((one) => ids.has(one.port_id)).map((one) => one.security_group_id),
  );
  return {
    guests: rows.servers.filter((server) => server.host_id === hostId).map((server) => server.id),
    networks: new Set(
      [...ports, ...rows.ports.filter((port) => routers.includes(port.device_id))].map(
        (port) => port.network_id,
      ),
    ),
    ports: [...ids],
    routers,
    groups,
    addressGroups: new Set(
      rows.rules.flatMap((rule) =>
        groups.has(rule.security_group_id) && rule.remote_group_id !== null ? [rule.remote_group_id] : [],
      ),
    ),
  };
}

/** The kernel of a host holds exactly what the rows say. */
function kernel(host: SimHost, rows: Rows): string[] {
  const row = rows.hosts.find((one) => one.hostname === host.hostname);
  if (row === undefined) return [`${host.hostname} is not registered`];
  const wanted = wantedOn(rows, row.id);
  const at = host.hostname;
  // What its driver refused for good never came to be, and says so.
  const refused = new Set(
    rows.servers.filter((server) => server.status === 'ERROR').map((server) => server.id),
  );
  const guests = wanted.guests.filter((id) => !refused.has(id) || host.guests.guests.has(id));
  const power = rows.servers.flatMap((server) => {
    const guest = host.guests.guests.get(server.id);
    if (server.host_id !== row.id || guest === undefined || server.status === 'ERROR') return [];
    if (guest.power === 'running' && guest.rescued !== (server.rescue !== null))
      return [`${at}: guest ${server.id} is ${guest.rescued ? '' : 'not '}rescued`];
    return guest.power === server.power && guest.power === server.observed_power
      ? []
      : [
          `${at}: guest ${server.id} is ${guest.power}, its row wants ${server.power} and says ${server.observed_power}`,
        ];
  });
  const resizes = rows.servers.flatMap((server) => {
    const guest = host.guests.guests.get(server.id);
    if (server.host_id !== row.id || guest === undefined || server.status === 'ERROR') return [];
    const flavor = JSON.parse(server.flavor) as FlavorCopy;
    return [
      ...(guest.spec.body.memoryMib === flavor.memoryMib
        ? []
        : [`${at}: guest ${server.id} has ${guest.spec.body.memoryMib} MiB, its flavor ${flavor.memoryMib}`]),
      ...((guest.original !== null) === (server.phase === 'resized')
        ? []
        : [`${at}: an original of guest ${server.id} is ${guest.original === null ? 'lost' : 'left'}`]),
    ];
  });
  const interfaces = [...host.guests.guests].flatMap(([id, guest]) =>
    guest.power !== 'running' || refused.has(id)
      ? []
      : differences(
          `${at}: interface of guest ${id} on port`,
          guest.nics,
          rows.ports.filter((port) => port.server_id === id).map((port) => port.id),
        ),
  );
  return [
    ...resizes,
    ...differences(`${at}: guest`, host.guests.guests.keys(), guests),
    ...power,
    ...interfaces,
    ...differences(`${at}: network`, host.network.networks.keys(), wanted.networks),
    ...differences(`${at}: port`, host.network.ports.keys(), wanted.ports),
    ...differences(`${at}: router`, host.network.routers.keys(), wanted.routers),
    ...differences(`${at}: security group`, host.network.securityGroups.keys(), wanted.groups),
    ...differences(`${at}: address group`, host.network.addressGroups.keys(), wanted.addressGroups),
  ];
}

/** Bodies on the hosts are those that control compiled last. */
async function bodies(world: Observed): Promise<string[]> {
  const items = await world.read().selectFrom('items').select(['kind', 'id', 'body']).execute();
  const of = new Map(items.map((item) => [`${item.kind}/${item.id}`, item.body]));
  return world.hosts.flatMap((host) => {
    const { networks, ports, routers, securityGroups, addressGroups } = host.network;
    const kinds = {
      network: networks,
      port: ports,
      router: routers,
      'security-group': securityGroups,
      'address-group': addressGroups,
    };
    return Object.entries(kinds).flatMap(([kind, objects]) =>
      [...objects].flatMap(([id, body]) =>
        JSON.stringify(body) === of.get(`${kind}/${id}`)
          ? []
          : [`${host.hostname}: ${kind} ${id} is not as it was compiled last`],
      ),
    );
  });
}

/** What guests may send and what leads to them is what the rows say, whichever bodies were compiled. */
async function services(world: Observed, rows: Rows): Promise<string[]> {
  const read = world.read();
  const bindings = await read.selectFrom('qos_bindings').selectAll().execute();
  const limits = await read.selectFrom('qos_rules').selectAll().execute();
  const forwardings = await read
    .selectFrom('port_forwardings as w')
    .innerJoin('floating_ips as f', 'f.id', 'w.floating_ip_id')
    .select(['w.id', 'f.router_id', 'f.floating_ip_address', 'w.protocol', 'w.external_first'])
    .execute();
  const policyOf = (id: string): string | undefined =>
    bindings.find((one) => one.object_id === id)?.qos_policy_id;
  const allowed = new Map(
    rows.ports.map((port) => {
      const policy = policyOf(port.id) ?? policyOf(port.network_id);
      const rule = limits.find(
        (one) => one.qos_policy_id === policy && one.type === 'bandwidth_limit' && one.direction === 'egress',
      );
      return [port.id, rule === undefined || rule.max_kbps === 0 ? undefined : rule.max_kbps] as const;
    }),
  );
  return world.hosts.flatMap(({ hostname, network }) => [
    ...[...network.ports].flatMap(([id, body]) =>
      body.egressKbps === allowed.get(id)
        ? []
        : [
            `${hostname}: port ${id} is limited to ${body.egressKbps} kbit/s, its policy says ${allowed.get(id)}`,
          ],
    ),
    ...[...network.routers].flatMap(([id, body]) =>
      differences(
        `${hostname}: forwarding of router ${id}`,
        (body.portForwardings ?? []).map(
          (one) => `${one.floatingAddress} ${one.protocol} ${one.externalFirst}`,
        ),
        forwardings.flatMap((one) =>
          one.router_id === id ? [`${one.floating_ip_address} ${one.protocol} ${one.external_first}`] : [],
        ),
      ),
    ),
  ]);
}

async function leaks(world: Observed, rows: Rows): Promise<string[]> {
  const read = world.read();
  const servers = new Set(rows.servers.map((server) => server.id));
  const ports = new Set(rows.ports.map((port) => port.id));
  const allocations = await read.selectFrom('ip_allocations').selectAll().execute();
  const items = await read.selectFrom('items').select(['kind', 'id']).execute();
  const hostItems = await read.selectFrom('host_items').selectAll().execute();
  const work = await read.selectFrom('work').selectAll().execute();
  const exists: Record<string, ReadonlySet<string>> = {
    server: servers,
    port: new Set(rows.ports.filter((port) => port.server_id !== '').map((port) => port.id)),
    router: new Set(rows.routers.map((router) => router.id)),
    volume: new Set(rows.volumes.map((one) => one.id)),
    snapshot: new Set(rows.snapshots.map((one) => one.id)),
    network: new Set((await read.selectFrom('networks').select('id').execute()).map((row) => row.id)),
    'security-group': new Set(
      (await read.selectFrom('security_groups').select('id').execute()).map((row) => row.id),
    ),
  };
  const floating = new Set(
    (await read.selectFrom('floating_ips').select('id').execute()).map((row) => row.id),
  );
  const bindings = await read.selectFrom('qos_bindings').selectAll().execute();
  const forwardings = await read
    .selectFrom('port_forwardings')
    .select(['id', 'floating_ip_id', 'internal_port_id'])
    .execute();
  return [
    ...bindings.flatMap((one) =>
      ports.has(one.object_id) || floating.has(one.object_id) || exists['network']?.has(one.object_id)
        ? []
        : [`QoS policy ${one.qos_policy_id} is bound to ${one.object_id}, which is gone`],
    ),
    ...forwardings.flatMap((one) =>
      ports.has(one.internal_port_id) && floating.has(one.floating_ip_id)
        ? []
        : [`port forwarding ${one.id} is left of what it joined`],
    ),
    ...rows.ports.flatMap((port) =>
      port.leave_generation === null ||
      rows.servers.some((one) => one.id === port.server_id && one.status === 'ERROR')
        ? []
        : [`port ${port.id} is still being detached from server ${port.server_id}`],
    ),
    ...rows.ports.flatMap((port) =>
      port.server_id === '' || servers.has(port.server_id)
        ? []
        : [`port ${port.id} is left of server ${port.server_id}`],
    ),
    ...allocations.flatMap((one) =>
      ports.has(one.port_id)
        ? []
        : [`address ${one.ip_address} is held by port ${one.port_id}, which is gone`],
    ),
    ...rows.memberships.flatMap((one) =>
      ports.has(one.port_id) ? [] : [`a group membership is left of port ${one.port_id}`],
    ),
    ...items.flatMap((item) =>
      exists[item.kind]?.has(item.id) === false
        ? [`item ${item.kind} ${item.id} is left of an object that is gone`]
        : [],
    ),
    ...hostItems.flatMap((item) =>
      item.wanted === 1 ? [] : [`tombstone of ${item.kind} ${item.id} is left on host ${item.host_id}`],
    ),
    ...hostItems.flatMap((item) =>
      items.some((one) => one.kind === item.kind && one.id === item.id)
        ? []
        : [`host ${item.host_id} is to have ${item.kind} ${item.id}, of which there is no item`],
    ),
    ...work.map((one) => `work ${one.kind} ${one.id} is left over`),
  ];
}

function witnessed(world: Observed, rows: Rows, witness: Witness): string[] {
  const servers = new Set(rows.servers.map((server) => server.id));
  const incarnations = new Map(
    world.hosts.flatMap((host) => [...host.guests.guests].map(([id, guest]) => [id, guest.starts])),
  );
  return [
    ...[...witness.created].flatMap((id) =>
      servers.has(id) ? [] : [`server ${id} is lost, though its create was acknowledged`],
    ),
    ...[...witness.deleted].flatMap((id) =>
      servers.has(id) ? [`server ${id} is still there, though its delete was acknowledged`] : [],
    ),
    ...[...witness.running].flatMap(([id, incarnation]) =>
      incarnations.get(id) === incarnation
        ? []
        : [`guest ${id} was disturbed: incarnation ${incarnation} is ${incarnations.get(id)} now`],
    ),
  ];
}

/** Every broken rule, in words; empty when all hold. */
export async function brokenInvariants(world: Observed, witness: Witness): Promise<string[]> {
  const read = world.read();
  const rows = await readRows(read);
  return [
    ...world.errors.map((error) => `logged as an error: ${error}`),
    ...world.hosts.flatMap((host) => host.broken),
    ...statuses(rows, witness.refused),
    ...world.hosts.flatMap((host) => kernel(host, rows)),
    ...volumes(world, rows),
    ...(await backups(world, read, rows)),
    ...(await bodies(world)),
    ...(await services(world, rows)),
    ...(await leaks(world, rows)),
    ...(await addresses(read)),
    ...(await claims(read, rows)),
    ...(await ledger(read, rows)),
    ...witnessed(world, rows, witness),
  ];
}
