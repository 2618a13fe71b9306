// What the create form sends: api-ref "Create Server".
import { metadataOf, type MetadataRow } from '../metadata.ts';

export type Source = 'image' | 'newVolume' | 'volume' | 'snapshot';

export type CreateForm = {
  name: string;
  source: Source;
  imageId?: string;
  volumeId?: string;
  snapshotId?: string;
  /** GiB of a new root volume. */
  volumeSize?: number | null;
  /** The root volume goes with the server. */
  volumeGoes: boolean;
  flavorId?: string;
  /** Empty: no network at all. */
  networkIds: readonly string[];
  groupIds: readonly string[];
  keyName?: string;
  userData?: string;
  configDrive: boolean;
  metadata: readonly MetadataRow[];
  zone?: string;
  serverGroup?: string;
  count: number | null;
};

/** UTF-8 as base64, as the API wants user data. */
export function base64(text: string): string {
  const bytes = new TextEncoder().encode(text);
  // In pieces, since a call takes only so many arguments.
  let binary = '';
  for (let at = 0; at < bytes.length; at += 8192)
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/** Characters of base64 that the API takes; of bytes before it is a quarter less. */
const MAX_USER_DATA = 65_535;

export const userDataFits = (text: string): boolean => base64(text).length <= MAX_USER_DATA;

/** What the server boots from; null: the form does not say yet. */
function bootOf(form: CreateForm): object | null {
  const { source, imageId, volumeId, snapshotId, volumeSize, volumeGoes } = form;
  if (source === 'image') return imageId === undefined ? null : { imageRef: imageId };
  const [sourceType, uuid] =
    source === 'newVolume'
      ? ['image', imageId]
      : source === 'volume'
        ? ['volume', volumeId]
        : ['snapshot', snapshotId];
  if (uuid === undefined) return null;
  const size = source === 'volume' ? null : (volumeSize ?? null);
  if (source === 'newVolume' && size === null) return null;
  return {
    block_device_mapping_v2: [
      {
        source_type: sourceType,
        destination_type: 'volume',
        uuid,
        boot_index: 0,
        delete_on_termination: volumeGoes,
        ...(size === null ? {} : { volume_size: size }),
      },
    ],
  };
}

const given = (text: string | undefined): text is string => text !== undefined && text !== '';

/** null: something that must be said is not there yet. */
export function requestOf(form: CreateForm): object | null {
  const boot = bootOf(form);
  const name = form.name.trim();
  if (boot === null || name === '' || form.flavorId === undefined) return null;
  const { networkIds, groupIds, keyName, userData, configDrive, zone, serverGroup } = form;
  const metadata = metadataOf(form.metadata);
  const count = form.count ?? 1;
  return {
    server: {
      name,
      flavorRef: form.flavorId,
      ...boot,
      networks: networkIds.length === 0 ? 'none' : networkIds.map((uuid) => ({ uuid })),
      // Of a server without a network there is nothing that a group could filter.
      ...(groupIds.length === 0 || networkIds.length === 0
        ? {}
        : { security_groups: groupIds.map((id) => ({ name: id })) }),
      ...(given(keyName) ? { key_name: keyName } : {}),
      ...(given(userData) ? { user_data: base64(userData) } : {}),
      ...(configDrive ? { config_drive: true } : {}),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      ...(given(zone) ? { availability_zone: zone } : {}),
      ...(count > 1 ? { min_count: count, max_count: count } : {}),
    },
    ...(given(serverGroup) ? { 'os:scheduler_hints': { group: serverGroup } } : {}),
  };
}

const FIELDS: Readonly<Record<string, keyof CreateForm>> = {
  name: 'name',
  flavorRef: 'flavorId',
  imageRef: 'imageId',
  networks: 'networkIds',
  security_groups: 'groupIds',
  key_name: 'keyName',
  user_data: 'userData',
  metadata: 'metadata',
  availability_zone: 'zone',
  min_count: 'count',
  max_count: 'count',
  volume_size: 'volumeSize',
  group: 'serverGroup',
};

/** The field of the form that a refusal names, 'server.networks[0].uuid' or "Invalid flavorRef provided: ..."; null: none. */
export function fieldOf(named: string | null, message: string): keyof CreateForm | null {
  const words = [...(named ?? '').split(/[.[\]]/), /^Invalid (\w+) provided/.exec(message)?.[1] ?? ''];
  const known = words.findLast((word) => Object.hasOwn(FIELDS, word));
  return known === undefined ? null : (FIELDS[known] ?? null);
}
