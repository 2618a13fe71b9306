// One object of every kind of block storage, for a tenant: part of fixtures.ts.
import type { TestCloud } from './cloud.ts';
import { given, id, idIn, named, own, type Maker, type Tenant } from './makers.ts';

const cinder = '/volume/v3';

async function freeVolume(cloud: TestCloud, tenant: Tenant, what: string): Promise<string> {
  const volume = idIn(
    await cloud.must(tenant.tokens.member, 'POST', `${cinder}/volumes`, {
      volume: { ...named(what)(tenant), size: 1, volume_type: id(tenant, 'volume-type') },
    }),
    'volume',
  );
  await cloud.settle();
  return volume;
}

const newest = { 'openstack-api-version': 'volume 3.70' };

/** One for all: no project owns a group type. */
async function groupType(cloud: TestCloud): Promise<string> {
  const { group_types: there } = (await cloud.must(
    cloud.admin,
    'GET',
    `${cinder}/group_types`,
    undefined,
    newest,
  )) as { group_types: { id: string; name: string }[] };
  const known = there.find((one) => one.name === 'generic');
  if (known !== undefined) return known.id;
  const body = { group_type: { name: 'generic' } };
  return idIn(await cloud.must(cloud.admin, 'POST', `${cinder}/group_types`, body, newest), 'group_type');
}

const group = async (cloud: TestCloud, tenant: Tenant, what: string): Promise<string> =>
  idIn(
    await cloud.must(
      tenant.tokens.member,
      'POST',
      `${cinder}/groups`,
      {
        group: {
          ...named(what)(tenant),
          group_type: await groupType(cloud),
          volume_types: [id(tenant, 'volume-type')],
        },
      },
      newest,
    ),
    'group',
  );

/** In the order of making: later ones use earlier ones. */
export const volumeFixtures: Readonly<Record<string, Maker>> = {
  'volume-type': async (cloud, tenant) => {
    const type = idIn(
      await cloud.must(cloud.admin, 'POST', `${cinder}/types`, {
        volume_type: { ...named('type')(tenant), 'os-volume-type-access:is_public': false },
      }),
      'volume_type',
    );
    await cloud.must(cloud.admin, 'POST', `${cinder}/types/${type}/action`, {
      addProjectAccess: { project: tenant.projectId },
    });
    return type;
  },
  'qos-spec': given(`${cinder}/qos-specs`, 'qos_specs', named('qos')),
  volume: (cloud, tenant) => freeVolume(cloud, tenant, 'volume'),
  snapshot: async (cloud, tenant) => {
    const snapshot = idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${cinder}/snapshots`, {
        snapshot: { ...named('snapshot')(tenant), volume_id: id(tenant, 'volume') },
      }),
      'snapshot',
    );
    await cloud.settle();
    return snapshot;
  },
  'volume-attachment': own(`${cinder}/attachments`, 'attachment', (tenant) => ({
    volume_uuid: id(tenant, 'volume'),
    instance_uuid: id(tenant, 'server'),
  })),
  backup: async (cloud, tenant) => {
    const backup = idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${cinder}/backups`, {
        backup: { ...named('backup')(tenant), volume_id: await freeVolume(cloud, tenant, 'kept') },
      }),
      'backup',
    );
    await cloud.settle();
    return backup;
  },
  'volume-group': async (cloud, tenant) => group(cloud, tenant, 'group'),
  'group-snapshot': async (cloud, tenant) => {
    const from = await group(cloud, tenant, 'taken');
    await cloud.must(
      tenant.tokens.member,
      'POST',
      `${cinder}/volumes`,
      {
        volume: {
          ...named('member')(tenant),
          size: 1,
          volume_type: id(tenant, 'volume-type'),
          group_id: from,
        },
      },
      newest,
    );
    await cloud.settle();
    const snapshot = idIn(
      await cloud.must(
        tenant.tokens.member,
        'POST',
        `${cinder}/group_snapshots`,
        { group_snapshot: { ...named('group-snapshot')(tenant), group_id: from } },
        newest,
      ),
      'group_snapshot',
    );
    await cloud.settle();
    return snapshot;
  },
  // Of a volume that no back end could take.
  'volume-message': async (cloud, tenant) => {
    const type = idIn(
      await cloud.must(cloud.admin, 'POST', `${cinder}/types`, {
        volume_type: {
          ...named('nowhere')(tenant),
          extra_specs: { storage_protocol: 'none' },
          'os-volume-type-access:is_public': false,
        },
      }),
      'volume_type',
    );
    await cloud.must(cloud.admin, 'POST', `${cinder}/types/${type}/action`, {
      addProjectAccess: { project: tenant.projectId },
    });
    await cloud.must(tenant.tokens.member, 'POST', `${cinder}/volumes`, {
      volume: { ...named('nowhere')(tenant), size: 1, volume_type: type },
    });
    const { messages } = (await cloud.must(tenant.tokens.member, 'GET', `${cinder}/messages`, undefined, {
      ...newest,
    })) as { messages: { id: string }[] };
    return messages[0]?.id ?? '';
  },
  // Of a volume of its own: one that is attached cannot be given away.
  'volume-transfer': async (cloud, tenant) =>
    idIn(
      await cloud.must(tenant.tokens.member, 'POST', `${cinder}/volume-transfers`, {
        transfer: { ...named('transfer')(tenant), volume_id: await freeVolume(cloud, tenant, 'offered') },
      }),
      'transfer',
    ),
};
