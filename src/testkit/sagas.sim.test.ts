// The sagas of servers, each killed at every crossing.
import { act, newServer, portOf, rest, rootOf, serverRow } from './saga-steps.ts';
import { sagaTests, type Saga, type SagaUser } from './saga.ts';
import type { World } from './world.ts';

/** To the larger flavor, until the server waits for a decision. */
async function resize(user: SagaUser, id: string, cloud: World): Promise<void> {
  for (;;) {
    await act(user, id, { resize: { flavorRef: cloud.given.largerFlavorId } });
    const now = await rest(user, id, 'VERIFY_RESIZE', 'ACTIVE');
    if (now?.server.status === 'VERIFY_RESIZE') return;
  }
}

async function decide(user: SagaUser, id: string, verb: 'confirmResize' | 'revertResize'): Promise<void> {
  for (;;) {
    await act(user, id, { [verb]: null });
    const now = await rest(user, id, 'VERIFY_RESIZE', 'ACTIVE');
    if (now?.server.status === 'ACTIVE') return;
    await user.sleep(1_000);
  }
}

const resizeTo = (verb: 'confirmResize' | 'revertResize'): Saga<{ id: string; root: readonly number[] }> => ({
  name: `a resize and its ${verb}`,
  async prepare(user, cloud) {
    const id = await newServer(user, cloud);
    return { id, root: rootOf(cloud, id) };
  },
  async drive(user, { id }, cloud) {
    await resize(user, id, cloud);
    await decide(user, id, verb);
  },
  async wrong({ id, root }, cloud) {
    const row = await serverRow(cloud, id);
    const now = rootOf(cloud, id);
    // What the guest wrote on the larger root went with it.
    const starts = verb === 'confirmResize' ? now.length >= 2 : now.length === 2;
    const wanted = verb === 'confirmResize' ? cloud.given.largerFlavorId : cloud.given.flavorId;
    return [
      ...(starts && now[0] === root[0] ? [] : [`the root has starts ${now.join()}, it had ${root.join()}`]),
      ...(row.flavor_id === wanted ? [] : [`the flavor is ${row.flavor_id}`]),
      ...(row.status === 'ACTIVE' ? [] : [`the server is ${row.status}`]),
    ];
  },
});

const shelving: Saga<{ id: string; port: string }> = {
  name: 'a shelving and the way back',
  async prepare(user, cloud) {
    const id = await newServer(user, cloud, {
      block_device_mapping_v2: [
        { source_type: 'image', destination_type: 'local', uuid: cloud.given.images.vm, boot_index: 0 },
        { source_type: 'blank', destination_type: 'volume', volume_size: 1, boot_index: -1 },
      ],
    });
    return { id, port: await portOf(user, id) };
  },
  async drive(user, { id }) {
    for (;;) {
      await act(user, id, { shelve: null });
      const now = await rest(user, id, 'ACTIVE', 'SHELVED_OFFLOADED');
      if (now?.server.status === 'SHELVED_OFFLOADED') break;
    }
    for (;;) {
      await act(user, id, { unshelve: null });
      const now = await rest(user, id, 'ACTIVE', 'SHELVED_OFFLOADED');
      if (now?.server.status === 'ACTIVE') break;
    }
  },
  async wrong({ id, port }, cloud) {
    const row = await serverRow(cloud, id);
    const images = await cloud.read().selectFrom('images').select('name').execute();
    const ports = JSON.parse(row.ports) as { portId: string }[];
    const guest = cloud.hosts[0]?.guests.guests.get(id);
    return [
      ...(row.status === 'ACTIVE' ? [] : [`the server is ${row.status}`]),
      ...(images.some((image) => image.name.endsWith('-shelved')) ? ['its image is left'] : []),
      ...(ports[0]?.portId === port ? [] : ['it has another port']),
      ...(guest?.spec.body.image?.id === row.root_image_id ? [] : ['the guest is not made of its image']),
      ...(guest?.spec.volumes.length === 1 ? [] : ['its volume is not there']),
    ];
  },
};

sagaTests(resizeTo('confirmResize'));
sagaTests(resizeTo('revertResize'));
sagaTests(shelving);
