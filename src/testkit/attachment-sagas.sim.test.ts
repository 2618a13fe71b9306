// The sagas of volumes and servers, each killed at every crossing: a volume comes to a server, grows under it, leaves it, goes
// with it, and is never with two.
import { GIB } from '../agent/drivers/volume/driver.ts';
import {
  newServer,
  newVolume,
  serverAt,
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

/** What is wrong unless exactly this server has the volume, on both sides; null: nobody has it. */
async function wrongHolder(cloud: World, volume: string, server: string | null): Promise<string[]> {
  const rows = await cloud
    .read()
    .selectFrom('volume_attachments')
    .select('server_id')
    .where('volume_id', '=', volume)
    .execute();
  const open = cloud.hosts.flatMap((host) =>
    [...host.guests.guests].flatMap(([id, guest]) => (guest.disks.has(volume) ? [id] : [])),
  );
  const sides = {
    'its rows': rows.map((row) => row.server_id),
    'the guests that have it open': open,
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
    await attach(user, cloud, given.server, given.volume);
    return { ...given, other: await newServer(user, cloud, { name: 'other' }) };
  },
  async drive(user, { server, volume, other }, cloud) {
    await user.insist('DELETE', `${attachments(server)}/${volume}`);
    // Without waiting: it is refused until the first guest has let go.
    for (;;) {
      await user.insist('POST', attachments(other), { volumeAttachment: { volumeId: volume } });
      const answer = await user.insist('GET', attachments(other));
      if ((answer.json as { volumeAttachments: object[] }).volumeAttachments.length > 0) break;
      await user.sleep(100);
    }
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
  async drive(user, { server }) {
    await user.insist('DELETE', serverAt(server));
    await user.until(serverAt(server), (body) => body === null);
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

sagaTests(attaching);
sagaTests(passingOn);
sagaTests(detaching);
sagaTests(growing);
sagaTests(leaving);
sagaTests(bootVolume);
