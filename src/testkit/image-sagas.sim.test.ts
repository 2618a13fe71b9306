// The sagas that end in an image, each killed at every crossing: of a server that goes on running, and of a volume.
import { EMPTY_QCOW2 } from '../agent/drivers/guest/sim/empty-disk.ts';
import {
  newServer,
  newVolume,
  rest,
  rootOf,
  serverAt,
  serverRow,
  stateOf,
  volumeApi,
  write,
} from './saga-steps.ts';
import { sagaTests, type Saga, type SagaUser } from './saga.ts';
import type { World } from './world.ts';

const IMAGES = '/image/v2/images';

/** Has an image of this name made by an action; asked again only where there is none. */
async function imageOf(user: SagaUser, cloud: World, name: string, url: string, body: object): Promise<void> {
  let id: string | null = null;
  while (id === null) {
    await cloud.call('demo', 'POST', `${url}/action`, body);
    id = await user.find(IMAGES, name);
  }
  await user.until<{ status: string } | null>(`${IMAGES}/${id}`, (now) => now?.status === 'active');
}

/** What is wrong unless exactly one image of this name is there, active, with this content. */
async function wrongImage(cloud: World, name: string, content: string): Promise<string[]> {
  const rows = await cloud
    .read()
    .selectFrom('images')
    .select(['id', 'status'])
    .where('name', '=', name)
    .execute();
  const [row] = rows;
  if (row === undefined || rows.length > 1) return [`there are ${rows.length} images '${name}'`];
  const answer = await cloud.call('demo', 'GET', `${IMAGES}/${row.id}/file`);
  return [
    ...(row.status === 'active' ? [] : [`the image is ${row.status}`]),
    ...(answer?.text === content ? [] : [`its content is ${answer?.status} ${answer?.text.slice(0, 60)}`]),
  ];
}

const ofServer: Saga<{ id: string; root: readonly number[] }> = {
  name: 'an image of a server that runs',
  async prepare(user, cloud) {
    const id = await newServer(user, cloud);
    return { id, root: rootOf(cloud, id) };
  },
  async drive(user, { id }, cloud) {
    await imageOf(user, cloud, 'copy', serverAt(id), { createImage: { name: 'copy' } });
    await rest(user, id, 'ACTIVE');
  },
  async wrong({ id, root }, cloud) {
    const row = await serverRow(cloud, id);
    const notes = await cloud.read().selectFrom('server_images').select('image_id').execute();
    return [
      ...(await wrongImage(cloud, 'copy', EMPTY_QCOW2.toString())),
      ...(row.imaging === 0 ? [] : [`the server counts ${row.imaging} images under way`]),
      ...(notes.length === 0 ? [] : ['a note of an image under way is left']),
      ...(rootOf(cloud, id).join() === root.join() ? [] : ['its guest was started again']),
    ];
  },
};

const ofVolume: Saga<{ volume: string }> = {
  name: 'an image of a volume',
  async prepare(user, cloud) {
    const volume = await newVolume(user, cloud, { name: 'disk' });
    write(cloud, volume, 'data');
    return { volume };
  },
  async drive(user, { volume }, cloud) {
    const body = { 'os-volume_upload_image': { image_name: 'copy' } };
    await imageOf(user, cloud, 'copy', `${volumeApi(cloud)}/volumes/${volume}`, body);
    await stateOf(user, cloud, 'volume', volume, 'available');
  },
  async wrong(_given, cloud) {
    const notes = await cloud.read().selectFrom('volume_uploads').select('image_id').execute();
    return [
      ...(await wrongImage(cloud, 'copy', 'data')),
      ...(notes.length === 0 ? [] : ['a note of an upload is left']),
    ];
  },
};

sagaTests(ofServer);
sagaTests(ofVolume);
