// What sagas of servers and of volumes have in common: how their users make and watch servers, and where the truth of
// them is.
import type { SimVolume } from '../agent/drivers/volume/sim/driver.ts';
import { differences } from './books.ts';
import type { SagaUser } from './saga.ts';
import type { World } from './world.ts';

type Server = { server: { id: string; status: string; 'OS-EXT-STS:task_state': string | null } } | null;
/** Where the API has a server. */
export const serverAt = (id: string): string => `/compute/v2.1/servers/${id}`;
/** Until nothing is under way with it and it has one of these statuses, or is gone. */
export const rest = (user: SagaUser, id: string, ...statuses: string[]): Promise<Server> =>
  user.until<Server>(
    serverAt(id),
    (body) =>
      body === null ||
      (statuses.includes(body.server.status) && body.server['OS-EXT-STS:task_state'] === null),
  );
export const act = (user: SagaUser, id: string, body: object) =>
  user.insist('POST', `${serverAt(id)}/action`, body);

/** A server that runs on a network of its own. */
export async function newServer(user: SagaUser, cloud: World, more: object = {}): Promise<string> {
  const network = await user.create('/network/v2.0/networks', 'network', { name: 'net' });
  await user.create('/network/v2.0/subnets', 'subnet', {
    name: 'subnet',
    network_id: network,
    cidr: '10.1.0.0/24',
    ip_version: 4,
  });
  const id = await user.create('/compute/v2.1/servers', 'server', {
    name: 'server',
    imageRef: cloud.given.images.vm,
    flavorRef: cloud.given.flavorId,
    networks: [{ uuid: network }],
    ...more,
  });
  await rest(user, id, 'ACTIVE');
  return id;
}

/** The first of its ports. */
export async function portOf(user: SagaUser, id: string): Promise<string> {
  const answer = await user.insist('GET', `/network/v2.0/ports?device_id=${id}`);
  return (answer.json as { ports: { id: string }[] }).ports[0]?.id ?? '';
}

export const serverRow = (cloud: World, id: string) =>
  cloud.read().selectFrom('servers').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
/** What the guest has written: the number of each start that is on its root. */
export const rootOf = (cloud: World, id: string): readonly number[] =>
  cloud.hosts[0]?.guests.guests.get(id)?.root ?? [];

/** Where the API has the volumes of the user's project. */
export const volumeApi = (cloud: World): string => `/volume/v3/${cloud.given.projectId}`;

/** Until a volume, snapshot or backup is in one of these states; answers which. */
export async function stateOf(
  user: SagaUser,
  cloud: World,
  kind: 'volume' | 'snapshot' | 'backup',
  id: string,
  ...statuses: string[]
): Promise<string> {
  type Body = Record<string, { status: string }> | null;
  const body = await user.until<Body>(`${volumeApi(cloud)}/${kind}s/${id}`, (now) =>
    statuses.includes(now?.[kind]?.status ?? 'gone'),
  );
  return body?.[kind]?.status ?? 'gone';
}

/** A volume of 1 GiB that is available. */
export async function newVolume(
  user: SagaUser,
  cloud: World,
  wanted: { name: string } & Record<string, unknown>,
): Promise<string> {
  const id = await user.create(`${volumeApi(cloud)}/volumes`, 'volume', { size: 1, ...wanted });
  await stateOf(user, cloud, 'volume', id, 'available');
  return id;
}

/** A volume as it is on its host. */
export const simVolume = (cloud: World, id: string): SimVolume | undefined =>
  cloud.hosts.map((host) => host.volumes.volumes.get(id)).find((found) => found !== undefined);

/** As a guest does that has it. */
export function write(cloud: World, id: string, content: string): void {
  const volume = simVolume(cloud, id);
  if (volume === undefined) throw new Error(`volume ${id} is on no host`);
  volume.content = content;
}

/** What is wrong unless a volume is so on its host. */
export const wrongVolume = (cloud: World, id: string, wanted: Partial<SimVolume>): string[] => {
  const is = simVolume(cloud, id);
  return Object.entries(wanted).flatMap(([key, value]) =>
    is?.[key as keyof SimVolume] === value
      ? []
      : [`${key} of volume ${id} is ${String(is?.[key as keyof SimVolume])}, not ${String(value)}`],
  );
};

/** What is wrong unless a table has exactly these rows. */
export async function wrongRows(
  cloud: World,
  table: 'volumes' | 'volume_snapshots' | 'volume_backups',
  wanted: string[],
): Promise<string[]> {
  const rows = await cloud.read().selectFrom(table).select('id').execute();
  return differences(
    `row of ${table}`,
    rows.map((row) => row.id),
    wanted,
  );
}
