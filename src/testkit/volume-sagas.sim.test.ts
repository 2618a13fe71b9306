// The sagas of volumes by themselves, each killed at every crossing: snapshots, backups, transfers.
import { newVolume, stateOf, volumeApi, write, wrongRows, wrongVolume } from './saga-steps.ts';
import { sagaTests, sagaUser, type Saga } from './saga.ts';

const snapshot: Saga<{ volume: string }> = {
  name: 'a snapshot of a volume, and a volume that is made of it',
  async prepare(user, cloud) {
    const volume = await newVolume(user, cloud, { name: 'disk' });
    write(cloud, volume, 'then');
    return { volume };
  },
  async drive(user, { volume }, cloud) {
    const taken = await user.create(`${volumeApi(cloud)}/snapshots`, 'snapshot', {
      name: 'taken',
      volume_id: volume,
    });
    await stateOf(user, cloud, 'snapshot', taken, 'available');
    write(cloud, volume, 'now');
    await newVolume(user, cloud, { name: 'copy', snapshot_id: taken });
    await user.insist('DELETE', `${volumeApi(cloud)}/snapshots/${taken}`);
    await stateOf(user, cloud, 'snapshot', taken, 'gone');
  },
  async wrong({ volume }, cloud) {
    const copies = await cloud.read().selectFrom('volumes').select('id').where('name', '=', 'copy').execute();
    return [
      ...wrongVolume(cloud, volume, { content: 'now' }),
      ...copies.flatMap((one) => wrongVolume(cloud, one.id, { content: 'then' })),
      ...(copies.length === 1 ? [] : [`there are ${copies.length} copies`]),
      ...(await wrongRows(cloud, 'volume_snapshots', [])),
    ];
  },
};

const reverting: Saga<{ volume: string; taken: string }> = {
  name: 'a volume that is returned to its snapshot',
  async prepare(user, cloud) {
    const volume = await newVolume(user, cloud, { name: 'disk' });
    write(cloud, volume, 'then');
    const taken = await user.create(`${volumeApi(cloud)}/snapshots`, 'snapshot', {
      name: 'taken',
      volume_id: volume,
    });
    await stateOf(user, cloud, 'snapshot', taken, 'available');
    write(cloud, volume, 'now');
    return { volume, taken };
  },
  async drive(user, { volume, taken }, cloud) {
    const headers = { 'openstack-api-version': 'volume 3.40' };
    await user.insist(
      'POST',
      `${volumeApi(cloud)}/volumes/${volume}/action`,
      { revert: { snapshot_id: taken } },
      headers,
    );
    await stateOf(user, cloud, 'volume', volume, 'available');
  },
  wrong: async ({ volume }, cloud) => wrongVolume(cloud, volume, { content: 'then' }),
};

const backup: Saga<{ volume: string }> = {
  name: 'a backup of a volume',
  async prepare(user, cloud) {
    const volume = await newVolume(user, cloud, { name: 'disk' });
    write(cloud, volume, 'then');
    return { volume };
  },
  async drive(user, { volume }, cloud) {
    const made = await user.create(`${volumeApi(cloud)}/backups`, 'backup', {
      name: 'kept',
      volume_id: volume,
    });
    await stateOf(user, cloud, 'backup', made, 'available');
  },
  async wrong({ volume }, cloud) {
    const rows = await cloud.read().selectFrom('volume_backups').select(['prefix', 'status']).execute();
    const [row] = rows;
    const first = cloud.backups.get(`volumebackups/${row?.prefix}-00001`)?.toString().replaceAll('\0', '');
    return [
      ...wrongVolume(cloud, volume, { content: 'then' }),
      ...(rows.length === 1 && row?.status === 'available'
        ? []
        : [`the backups are ${JSON.stringify(rows)}`]),
      ...(first === 'then' && cloud.backups.size === 2
        ? []
        : [`the store has ${[...cloud.backups.keys()].join()}`]),
    ];
  },
};

const restoring: Saga<{ volume: string; made: string }> = {
  name: 'a backup that is restored to a new volume, and its deletion',
  async prepare(user, cloud) {
    const volume = await newVolume(user, cloud, { name: 'disk' });
    write(cloud, volume, 'then');
    const made = await user.create(`${volumeApi(cloud)}/backups`, 'backup', {
      name: 'kept',
      volume_id: volume,
    });
    await stateOf(user, cloud, 'backup', made, 'available');
    write(cloud, volume, 'now');
    return { volume, made };
  },
  async drive(user, { made }, cloud) {
    let restored: string | null = null;
    while (restored === null) {
      const answer = await cloud.call('demo', 'POST', `${volumeApi(cloud)}/backups/${made}/restore`, {
        restore: { name: 'restored' },
      });
      if (answer !== null && answer.status !== 202) throw new Error(`it is not restored: ${answer.text}`);
      restored = await user.find(`${volumeApi(cloud)}/volumes`, 'restored');
    }
    await stateOf(user, cloud, 'volume', restored, 'available');
    await stateOf(user, cloud, 'backup', made, 'available');
    await user.insist('DELETE', `${volumeApi(cloud)}/backups/${made}`);
    await stateOf(user, cloud, 'backup', made, 'gone');
  },
  async wrong({ volume }, cloud) {
    const copies = await cloud
      .read()
      .selectFrom('volumes')
      .select('id')
      .where('name', '=', 'restored')
      .execute();
    return [
      ...wrongVolume(cloud, volume, { content: 'now' }),
      ...copies.flatMap((one) => wrongVolume(cloud, one.id, { content: 'then' })),
      ...(copies.length === 1 ? [] : [`there are ${copies.length} restored volumes`]),
      ...(await wrongRows(cloud, 'volume_backups', [])),
      ...(cloud.backups.size === 0 ? [] : ['its objects are left in the store']),
    ];
  },
};

const transfer: Saga<{ volume: string; taken: string }> = {
  name: 'a volume that goes to another project',
  async prepare(user, cloud) {
    const volume = await newVolume(user, cloud, { name: 'disk' });
    write(cloud, volume, 'data');
    const taken = await user.create(`${volumeApi(cloud)}/snapshots`, 'snapshot', {
      name: 'taken',
      volume_id: volume,
    });
    await stateOf(user, cloud, 'snapshot', taken, 'available');
    return { volume, taken };
  },
  async drive(user, { volume }, cloud) {
    type Offer = { id: string; auth_key: string };
    const offers = `${volumeApi(cloud)}/os-volume-transfer`;
    const admin = sagaUser(cloud, 'admin');
    let offer: Offer | null = null;
    while (offer === null) {
      const answer = await user.insist('POST', offers, { transfer: { volume_id: volume, name: 'gift' } });
      if (answer.status === 202) offer = (answer.json as { transfer: Offer }).transfer;
      else {
        // It is offered under a key that was not heard.
        const lost = await user.find(offers, 'gift');
        if (lost !== null) await user.insist('DELETE', `${offers}/${lost}`);
      }
    }
    await admin.insist('POST', `${offers}/${offer.id}/accept`, { accept: { auth_key: offer.auth_key } });
    await user.until(`${offers}/${offer.id}`, (body) => body === null);
  },
  async wrong({ volume, taken }, cloud) {
    const admin = await cloud
      .read()
      .selectFrom('projects')
      .select('id')
      .where('name', '=', 'admin')
      .executeTakeFirst();
    const owners = [
      ...(await cloud.read().selectFrom('volumes').select(['id', 'project_id', 'status']).execute()),
      ...(await cloud.read().selectFrom('volume_snapshots').select(['id', 'project_id', 'status']).execute()),
    ];
    const open = await cloud
      .read()
      .selectFrom('volume_transfers')
      .select('id')
      .where('accepted', '=', 0)
      .execute();
    return [
      ...owners.flatMap((row) =>
        row.project_id === admin?.id && row.status === 'available'
          ? []
          : [`${row.id} is ${row.status} in project ${row.project_id}`],
      ),
      ...(owners.map((row) => row.id).join() === [volume, taken].join()
        ? []
        : ['there is more or less than was given']),
      ...wrongVolume(cloud, volume, { content: 'data' }),
      ...(open.length === 0 ? [] : ['an offer is left']),
    ];
  },
};

sagaTests(snapshot);
sagaTests(reverting);
sagaTests(backup);
sagaTests(restoring);
sagaTests(transfer);
