// Volumes on running guests: what one guest wrote the next one reads, snapshots hold still, a new volume is empty, and
// kill -9 in the middle of attaching and detaching neither loses data nor gives a volume to two guests.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../src/cli/api-client.ts';
import { seededRng } from '../../src/kernel/ids.ts';
import { eventually, startCloud, type Cloud } from '../cloud.ts';

const SEED = Number(process.env['STRATA_SEED'] ?? 11);
const ROUNDS = 6;

/** Says which disks come and go, what they begin with, and writes its name where nothing is. */
const WATCH = `#!/bin/sh
me=$1
while :; do
  for d in /dev/vdb /dev/vdc; do
    s=/tmp/seen-\${d#/dev/}
    if [ -b $d ]; then
      size=$(cat /sys/block/\${d#/dev/}/size)
      [ "$size" = "$(cat $s 2>/dev/null)" ] && continue
      echo "$size" > $s
      text=$(dd if=$d bs=64 count=1 2>/dev/null | tr -d '\\000')
      echo "SEEN $d $size '$text'"
      if [ -z "$text" ]; then echo "written by $(hostname)" | dd of=$d bs=64 conv=notrunc,sync 2>/dev/null; sync; echo "WROTE $d"; fi
    elif [ -e $s ]; then rm -f $s; echo "GONE $d"; fi
  done
  usleep 200000
done
`;

type Volume = {
  id: string;
  status: string;
  size: number;
  attachments: { server_id: string; device: string }[];
};
type Server = { id: string; name: string; status: string; fault?: unknown };

let cloud: Cloud;
let api: ApiClient;
let project = '';
const ids: Record<string, string> = {};

beforeAll(async () => {
  cloud = await startCloud();
  api = await cloud.as('demo');
  project =
    (await api.call<{ projects: { id: string }[] }>('GET', '/identity/v3/auth/projects')).projects[0]?.id ??
    '';
  const network = await api.call<{ network: { id: string } }>('POST', '/network/v2.0/networks', {
    network: { name: 'n' },
  });
  await api.call('POST', '/network/v2.0/subnets', {
    subnet: { network_id: network.network.id, ip_version: 4, cidr: '10.6.0.0/24' },
  });
  const images = (await api.call<{ images: { id: string; name: string }[] }>('GET', '/image/v2/images'))
    .images;
  const flavors = (
    await api.call<{ flavors: { id: string; name: string }[] }>('GET', '/compute/v2.1/flavors')
  ).flavors;
  ids['network'] = network.network.id;
  ids['tiny'] = images.find((one) => one.name === 'tiny')?.id ?? '';
  ids['nano'] = flavors.find((one) => one.name === 'm1.nano')?.id ?? '';
}, 120_000);
afterAll(async () => {
  await cloud?.teardown();
}, 120_000);

const volumes = (path: string): string => `/volume/v3/${project}${path}`;
const volume = async (id: string): Promise<Volume> =>
  (await api.call<{ volume: Volume }>('GET', volumes(`/volumes/${id}`))).volume;
const status = (id: string, wanted: string, seconds = 40): Promise<Volume> =>
  eventually(`volume ${id} ${wanted}`, seconds, async () => {
    const now = await volume(id);
    return now.status === wanted ? now : null;
  });
async function newVolume(body: Record<string, unknown>): Promise<string> {
  const { id } = (await api.call<{ volume: Volume }>('POST', volumes('/volumes'), { volume: body })).volume;
  await status(id, 'available');
  return id;
}
async function newServer(name: string, body: Record<string, unknown>): Promise<string> {
  const { server } = await api.call<{ server: { id: string } }>('POST', '/compute/v2.1/servers', {
    server: {
      name,
      flavorRef: ids['nano'],
      networks: [{ uuid: ids['network'] }],
      user_data: Buffer.from(WATCH).toString('base64'),
      ...body,
    },
  });
  await eventually(`server ${name}`, 60, async () => {
    const now = (await api.call<{ server: Server }>('GET', `/compute/v2.1/servers/${server.id}`)).server;
    if (now.status === 'ERROR') throw new Error(JSON.stringify(now.fault));
    return now.status === 'ACTIVE';
  });
  return server.id;
}
const consoleOf = async (id: string): Promise<string> =>
  (
    await api.call<{ output: string }>('POST', `/compute/v2.1/servers/${id}/action`, {
      'os-getConsoleOutput': {},
    })
  ).output;
const says = (id: string, text: string, seconds = 30): Promise<string> =>
  eventually(`the guest says ${text}`, seconds, async () => {
    const log = await consoleOf(id).catch(() => '');
    return log.includes(text) ? log : null;
  }).catch(async (error: unknown) => {
    throw new Error(`${String(error)}\n${(await consoleOf(id)).slice(-1500)}`);
  });
const attach = (serverId: string, volumeId: string): Promise<unknown> =>
  api.call('POST', `/compute/v2.1/servers/${serverId}/os-volume_attachments`, {
    volumeAttachment: { volumeId },
  });
const detach = (serverId: string, volumeId: string): Promise<unknown> =>
  api.call('DELETE', `/compute/v2.1/servers/${serverId}/os-volume_attachments/${volumeId}`);

describe('volumes on running guests', () => {
  it('what one guest wrote the next one reads; snapshots hold still; a new volume is empty', async () => {
    const [one, two] = [
      await newServer('one', { imageRef: ids['tiny'] }),
      await newServer('two', { imageRef: ids['tiny'] }),
    ];
    await says(one, 'ready');
    const data = await newVolume({ size: 1, name: 'data' });
    await attach(one, data);
    await status(data, 'in-use');
    await says(one, 'WROTE /dev/vdb');
    // While the guest has it open.
    const { snapshot } = await api.call<{ snapshot: { id: string } }>('POST', volumes('/snapshots'), {
      snapshot: { volume_id: data, force: true },
    });
    await eventually(
      'the snapshot',
      20,
      async () =>
        (await api.call<{ snapshot: { status: string } }>('GET', volumes(`/snapshots/${snapshot.id}`)))
          .snapshot.status === 'available',
    );
    const copy = await newVolume({ snapshot_id: snapshot.id });
    await detach(one, data);
    await status(data, 'available');
    await says(one, 'GONE /dev/vdb');

    await attach(two, data);
    await status(data, 'in-use');
    await says(two, "SEEN /dev/vdb 2097152 'written by one");
    await attach(two, copy);
    await status(copy, 'in-use');
    await says(two, "SEEN /dev/vdc 2097152 'written by one");
    await detach(two, data);
    await detach(two, copy);
    await status(data, 'available');
    await status(copy, 'available');

    for (const id of [data, copy]) {
      await api.call('DELETE', volumes(`/volumes/${id}?cascade=true`));
      await eventually('deletion', 30, async () =>
        volume(id).then(
          () => false,
          () => true,
        ),
      );
    }
    const fresh = await newVolume({ size: 1 });
    await attach(one, fresh);
    await eventually(
      'the new volume is empty',
      20,
      async () => (await consoleOf(one)).split("SEEN /dev/vdb 2097152 ''").length === 3,
    );
    await api.call('DELETE', `/compute/v2.1/servers/${one}`);
    await status(fresh, 'available');
    await api.call('DELETE', volumes(`/volumes/${fresh}`));
    await api.call('DELETE', `/compute/v2.1/servers/${two}`);
  }, 300_000);

  it('a server boots from a volume made of an image, and the volume goes with it', async () => {
    const server = await newServer('booted', {
      block_device_mapping_v2: [
        {
          boot_index: 0,
          source_type: 'image',
          destination_type: 'volume',
          uuid: ids['tiny'],
          volume_size: 1,
          delete_on_termination: true,
        },
      ],
    });
    await says(server, 'ready');
    const all = (await api.call<{ volumes: Volume[] }>('GET', volumes('/volumes/detail'))).volumes;
    const root = all.find((one) => one.attachments[0]?.server_id === server);
    expect(root?.attachments).toMatchObject([{ server_id: server, device: '/dev/vda' }]);
    await expect(detach(server, root?.id ?? '')).rejects.toThrow(/root device/);
    await api.call('DELETE', `/compute/v2.1/servers/${server}`);
    await eventually('the volume is gone', 40, async () =>
      volume(root?.id ?? '').then(
        () => false,
        () => true,
      ),
    );
  }, 180_000);

  it(`kill -9 while volumes are attached and detached (seed ${SEED}) loses nothing and gives a volume to one guest only`, async () => {
    const rng = seededRng(SEED);
    const servers = [
      await newServer('left', { imageRef: ids['tiny'] }),
      await newServer('right', { imageRef: ids['tiny'] }),
    ];
    for (const id of servers) await says(id, 'ready');
    const data = await newVolume({ size: 1 });
    await attach(servers[0] ?? '', data);
    await status(data, 'in-use');
    await says(servers[0] ?? '', 'WROTE /dev/vdb');
    const { snapshot } = await api.call<{ snapshot: { id: string } }>('POST', volumes('/snapshots'), {
      snapshot: { volume_id: data, force: true },
    });
    for (let round = 0; round < ROUNDS; round += 1) {
      const now = await volume(data);
      const at = now.attachments[0]?.server_id;
      const work = at === undefined ? attach(servers[round % 2] ?? '', data) : detach(at, data);
      work.catch(() => {}); // unanswered, refused or done
      await sleep(rng() * 250);
      await cloud.kill();
      await work.catch(() => {});
      await cloud.start();
      api = await cloud.as('demo');
      const settled = await eventually('the volume comes to rest', 60, async () => {
        const one = await volume(data);
        return ['available', 'in-use'].includes(one.status) ? one : null;
      });
      expect(settled.attachments.length).toBe(settled.status === 'in-use' ? 1 : 0);
    }
    const last = await volume(data);
    const owner = last.attachments[0]?.server_id;
    if (owner !== undefined) {
      await detach(owner, data);
      await status(data, 'available');
    }
    for (const id of servers) {
      const before = (await consoleOf(id)).split("'written by left").length;
      await attach(id, data);
      await status(data, 'in-use');
      await eventually(
        'the guest reads what was written',
        20,
        async () => (await consoleOf(id)).split("'written by left").length > before,
      );
      await detach(id, data);
      await status(data, 'available');
    }
    // Neither guest ever found it empty again.
    for (const id of servers)
      expect((await consoleOf(id)).split("SEEN /dev/vdb 2097152 ''").length).toBeLessThanOrEqual(
        id === servers[0] ? 2 : 1,
      );
    await api.call('DELETE', volumes(`/snapshots/${snapshot.id}`));
    for (const id of servers) await api.call('DELETE', `/compute/v2.1/servers/${id}`);
    await api.call('DELETE', volumes(`/volumes/${data}?cascade=true`));
    await eventually(
      'nothing is left',
      40,
      async () => (await api.call<{ volumes: Volume[] }>('GET', volumes('/volumes'))).volumes.length === 0,
    );
    const { limits } = await api.call<{ limits: { absolute: Record<string, number> } }>(
      'GET',
      volumes('/limits'),
    );
    expect(limits.absolute).toMatchObject({
      totalVolumesUsed: 0,
      totalSnapshotsUsed: 0,
      totalGigabytesUsed: 0,
    });
  }, 600_000);
});
