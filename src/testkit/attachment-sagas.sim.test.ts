// The sagas of volumes and servers, each killed at every crossing: a volume comes to a server, grows under it, leaves it, goes
// with it, and is never with two.
import { differences } from './books.ts';
import { GIB } from '../agent/drivers/volume/driver.ts';
import {
  newServer,
  portOf,
  newVolume,
  serverAt,
  serverRow,
  simVolume,
  stateOf,
  volumeApi,
  write,
  wrongRows,
  wrongVolume,
} from './saga-steps.ts';
import { sagaTests, type Saga, type SagaUser } from './saga.ts';
import type { World } from './world.ts';

const attachments = (server: string): string => `${serverAt(server)}/os-volume_attachments`;

async function attach(user: SagaUser, cloud: World, server: string, volume: string): Promise<void> {
  for (;;) {
    await user.insist('POST', attachments(server), { volumeAttachment: { volumeId: volume } });
    const now = await stateOf(user, cloud, 'volume', volume, 'available', 'in-use');
    if (now === 'in-use') return;
  }
}

/** The guests that have a volume open now. */
const openIn = (cloud: World, volume: string): string[] =>
  cloud.hosts.flatMap((host) =>
    [...host.guests.guests].flatMap(([id, guest]) => (guest.disks.has(volume) ? [id] : [])),
  );

/** Whoever is told that a volume is free, or theirs, may rely on it: throws when another guest has it open. */
function relyOn(cloud: World, volume: string, server: string | null): void {
  for (const id of openIn(cloud, volume))
    if (id !== server)
      throw new Error(`volume ${volume} is said to be with ${server ?? 'nobody'}; guest ${id} has it open`);
}

/** What is wrong unless exactly this server has the volume, on both sides; null: nobody has it. */
async function wrongHolder(cloud: World, volume: string, server: string | null): Promise<string[]> {
  const rows = await cloud
    .read()
    .selectFrom('volume_attachments')
    .select('server_id')
    .where('volume_id', '=', volume)
    .execute();
  const sides = {
    'its rows': rows.map((row) => row.server_id),
    'the guests that have it open': openIn(cloud, volume),
    'its hold': [simVolume(cloud, volume)?.holder ?? []].flat(),
  };
  return Object.entries(sides).flatMap(([side, is]) =>
    is.join() === (server ?? '')
      ? []
      : [`volume ${volume} is with ${server ?? 'nobody'}, ${side} say '${is.join()}'`],
  );
}

type Attaching = { server: string; volume: string };
const serverAndVolume = async (user: SagaUser, cloud: World): Promise<Attaching> => {
  const volume = await newVolume(user, cloud, { name: 'disk' });
  write(cloud, volume, 'data');
  return { server: await newServer(user, cloud), volume };
};
const startsOf = (cloud: World, server: string): number | undefined =>
  cloud.hosts[0]?.guests.guests.get(server)?.starts;

const attaching: Saga<Attaching & { starts: number | undefined }> = {
  name: 'the attachment of a volume to a server that runs',
  async prepare(user, cloud) {
    const given = await serverAndVolume(user, cloud);
    return { ...given, starts: startsOf(cloud, given.server) };
  },
  drive: (user, { server, volume }, cloud) => attach(user, cloud, server, volume),
  wrong: async ({ server, volume, starts }, cloud) => [
    ...(await wrongHolder(cloud, volume, server)),
    ...wrongVolume(cloud, volume, { content: 'data' }),
    ...(startsOf(cloud, server) === starts ? [] : ['its server was disturbed']),
  ],
};

const passingOn: Saga<Attaching & { other: string }> = {
  name: 'a volume that goes from one server to another',
  async prepare(user, cloud) {
    const given = await serverAndVolume(user, cloud);
    return { ...given, other: await newServer(user, cloud, { name: 'other' }) };
  },
  async drive(user, { server, volume, other }, cloud) {
    await attach(user, cloud, server, volume);
    await user.insist('DELETE', `${attachments(server)}/${volume}`);
    // Without waiting: it is refused until the first guest has let go.
    for (;;) {
      await user.insist('POST', attachments(other), { volumeAttachment: { volumeId: volume } });
      const answer = await user.insist('GET', attachments(other));
      if ((answer.json as { volumeAttachments: object[] }).volumeAttachments.length > 0) break;
      await user.sleep(100);
    }
    relyOn(cloud, volume, other);
    await stateOf(user, cloud, 'volume', volume, 'in-use');
  },
  wrong: async ({ volume, other }, cloud) => [
    ...(await wrongHolder(cloud, volume, other)),
    ...wrongVolume(cloud, volume, { content: 'data' }),
  ],
};

const detaching: Saga<Attaching & { starts: number | undefined }> = {
  name: 'the detachment of a volume from a server that runs',
  async prepare(user, cloud) {
    const given = await serverAndVolume(user, cloud);
    await attach(user, cloud, given.server, given.volume);
    return { ...given, starts: startsOf(cloud, given.server) };
  },
  async drive(user, { server, volume }, cloud) {
    await user.insist('DELETE', `${attachments(server)}/${volume}`);
    await stateOf(user, cloud, 'volume', volume, 'available');
    relyOn(cloud, volume, null);
  },
  wrong: async ({ server, volume, starts }, cloud) => [
    ...(await wrongHolder(cloud, volume, null)),
    ...wrongVolume(cloud, volume, { content: 'data' }),
    ...(startsOf(cloud, server) === starts ? [] : ['its server was disturbed']),
  ],
};

const growing: Saga<Attaching> = {
  name: 'a volume that grows under a server that runs',
  async prepare(user, cloud) {
    const given = await serverAndVolume(user, cloud);
    await attach(user, cloud, given.server, given.volume);
    return given;
  },
  async drive(user, { volume }, cloud) {
    const headers = { 'openstack-api-version': 'volume 3.42' };
    await user.insist(
      'POST',
      `${volumeApi(cloud)}/volumes/${volume}/action`,
      { 'os-extend': { new_size: 3 } },
      headers,
    );
    await stateOf(user, cloud, 'volume', volume, 'in-use');
  },
  async wrong({ server, volume }, cloud) {
    const seen = cloud.hosts[0]?.guests.guests.get(server)?.spec.volumes[0]?.size;
    return [
      ...(await wrongHolder(cloud, volume, server)),
      ...wrongVolume(cloud, volume, { content: 'data', sizeGib: 3 }),
      ...(seen === 3 * GIB ? [] : [`the guest sees ${seen} bytes of it`]),
    ];
  },
};

const leaving: Saga<{ server: string; own: string; guests: string }> = {
  name: 'the deletion of a server with a volume that goes with it, and one that stays',
  async prepare(user, cloud) {
    const guests = await newVolume(user, cloud, { name: 'guests' });
    write(cloud, guests, 'data');
    const server = await newServer(user, cloud, {
      block_device_mapping_v2: [
        { source_type: 'image', destination_type: 'local', uuid: cloud.given.images.vm, boot_index: 0 },
        { source_type: 'volume', destination_type: 'volume', uuid: guests, boot_index: -1 },
        {
          source_type: 'blank',
          destination_type: 'volume',
          volume_size: 1,
          boot_index: -1,
          delete_on_termination: true,
        },
      ],
    });
    const [own = ''] = [...(cloud.hosts[0]?.guests.guests.get(server)?.disks ?? [])].filter(
      (id) => id !== guests,
    );
    return { server, own, guests };
  },
  async drive(user, { server, guests }, cloud) {
    await user.insist('DELETE', serverAt(server));
    await user.until(serverAt(server), (body) => body === null);
    relyOn(cloud, guests, null);
  },
  wrong: async ({ own, guests }, cloud) => [
    ...(await wrongHolder(cloud, guests, null)),
    ...wrongVolume(cloud, guests, { content: 'data' }),
    ...(await wrongRows(cloud, 'volumes', [guests])),
    ...(own !== '' && simVolume(cloud, own) === undefined ? [] : [`volume ${own} of the server is left`]),
  ],
};

const bootVolume: Saga<object> = {
  name: 'a server that is made with its boot volume',
  prepare: async () => ({}),
  async drive(user, _given, cloud) {
    await newServer(user, cloud, {
      block_device_mapping_v2: [
        {
          source_type: 'image',
          destination_type: 'volume',
          uuid: cloud.given.images.vm,
          boot_index: 0,
          volume_size: 1,
        },
      ],
    });
  },
  async wrong(_given, cloud) {
    const [row] = await cloud.read().selectFrom('servers').select('id').execute();
    const volumes = await cloud.read().selectFrom('volumes').select('id').execute();
    const [volume] = volumes;
    if (row === undefined || volume === undefined || volumes.length > 1)
      return [`there are ${volumes.length} volumes`];
    return [
      ...(await wrongHolder(cloud, volume.id, row.id)),
      ...wrongVolume(cloud, volume.id, { content: cloud.given.images.vm, sizeGib: 1 }),
    ];
  },
};

const interfaces = (server: string): string => `${serverAt(server)}/os-interface`;

/** What is wrong unless a server has exactly these ports: in their rows, in its own, and in its guest. */
async function wrongPorts(cloud: World, server: string, wanted: string[]): Promise<string[]> {
  const ports = await cloud.read().selectFrom('ports').select('id').where('device_id', '=', server).execute();
  const row = await serverRow(cloud, server);
  const guest = cloud.hosts[0]?.guests.guests.get(server);
  return [
    ...differences(
      'port of the server',
      ports.map((port) => port.id),
      wanted,
    ),
    ...differences(
      'port in its row',
      (JSON.parse(row.ports) as { portId: string }[]).map((port) => port.portId),
      wanted,
    ),
    ...differences('interface of its guest', guest?.nics ?? [], wanted),
  ];
}

type Plugging = { server: string; first: string; port: string; starts: number | undefined };
const serverAndPort = async (user: SagaUser, cloud: World): Promise<Plugging> => {
  const server = await newServer(user, cloud);
  const first = await portOf(user, server);
  const network = await user.find('/network/v2.0/networks', 'net');
  const port = await user.create('/network/v2.0/ports', 'port', { name: 'second', network_id: network });
  return { server, first, port, starts: startsOf(cloud, server) };
};
async function plug(user: SagaUser, { server, port }: Plugging): Promise<void> {
  await user.insist('POST', interfaces(server), { interfaceAttachment: { port_id: port } });
  await user.until<{ port: { status: string } }>(
    `/network/v2.0/ports/${port}`,
    (body) => body.port.status === 'ACTIVE',
  );
}

const plugging: Saga<Plugging> = {
  name: 'an interface that comes to a server that runs',
  prepare: serverAndPort,
  drive: plug,
  wrong: async ({ server, first, port, starts }, cloud) => [
    ...(await wrongPorts(cloud, server, [first, port])),
    ...(startsOf(cloud, server) === starts ? [] : ['its server was disturbed']),
  ],
};

const unplugging: Saga<Plugging> = {
  name: 'interfaces that leave a server that runs: of a port that stays, and of one that was made for it',
  async prepare(user, cloud) {
    const given = await serverAndPort(user, cloud);
    await plug(user, given);
    return given;
  },
  async drive(user, { server, first, port }) {
    for (const id of [port, first]) {
      await user.insist('DELETE', `${interfaces(server)}/${id}`);
      await user.until(`${interfaces(server)}/${id}`, (body) => body === null);
    }
  },
  async wrong({ server, first, port, starts }, cloud) {
    const rows = await cloud.read().selectFrom('ports').select(['id', 'device_id']).execute();
    return [
      ...(await wrongPorts(cloud, server, [])),
      ...(rows.some((row) => row.id === port && row.device_id === '') ? [] : ['the port did not stay']),
      ...(rows.some((row) => row.id === first) ? ['the port that was made for it is left'] : []),
      ...(startsOf(cloud, server) === starts ? [] : ['its server was disturbed']),
    ];
  },
};

sagaTests(attaching);
sagaTests(passingOn);
sagaTests(detaching);
sagaTests(growing);
sagaTests(leaving);
sagaTests(bootVolume);
sagaTests(plugging);
sagaTests(unplugging);
