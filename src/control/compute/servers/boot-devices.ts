// What a create says about disks: an image, volumes that are there, and volumes to be made. Checked before anything
// is read: api-ref "Create Server", block_device_mapping_v2.
import { badRequest } from '../../../kernel/errors.ts';
import { isSet } from '../links.ts';
import type { CreateBody } from './schema.ts';

type Asked = CreateBody['server'];

/** A volume of a new server. */
export type BootDevice = {
  source: 'volume' | 'image' | 'snapshot' | 'blank';
  /** Of the source; null: blank. */
  id: string | null;
  boot: boolean;
  /** GiB; null: that of the source. */
  sizeGib: number | null;
  deleteOnTermination: boolean;
  device: string | null;
  tag: string | null;
  volumeType: string | null;
};

const invalid = (reason: string) => badRequest(`Block Device Mapping is Invalid: ${reason}`, 'InvalidBDM');

function sizeOf(value: number | string | null | undefined): number | null {
  if (value === null || value === undefined || value === '') return null;
  const gib = Number(value);
  if (gib < 1) throw invalid(`volume_size ${gib} must be at least 1 GiB.`);
  return gib;
}

type Mapping = NonNullable<Asked['block_device_mapping_v2']>[number];

function deviceOf(one: Mapping): BootDevice {
  const source = one.source_type ?? '';
  if (source !== 'volume' && source !== 'image' && source !== 'snapshot' && source !== 'blank')
    throw invalid(`source_type ${source.slice(0, 32)} must be volume, image, snapshot or blank.`);
  const destination = one.destination_type ?? (source === 'volume' ? 'volume' : 'local');
  if (destination !== 'volume')
    throw invalid(
      `destination_type ${destination.slice(0, 32)} of source_type ${source} is not supported: local disks beside the root disk do not exist; use destination_type volume.`,
    );
  const id =
    one.uuid ??
    (source === 'volume' ? one.volume_id : source === 'snapshot' ? one.snapshot_id : undefined) ??
    null;
  if (source !== 'blank' && id === null) throw invalid(`a device of source_type ${source} must have a uuid.`);
  const sizeGib = sizeOf(one.volume_size);
  if (source === 'blank' && sizeGib === null) throw invalid('a blank volume must have a volume_size.');
  if (source === 'image' && sizeGib === null)
    throw invalid('a volume made of an image must have a volume_size.');
  return {
    source,
    id,
    boot: Number(one.boot_index ?? -1) === 0,
    sizeGib,
    deleteOnTermination: isSet(one.delete_on_termination),
    device: one.device_name === undefined || one.device_name === '' ? null : one.device_name,
    tag: one.tag ?? null,
    volumeType: one.volume_type ?? null,
  };
}

/** The older form: [{volume_id | snapshot_id, device_name, delete_on_termination, volume_size}]. */
function legacyDevice(given: unknown): BootDevice {
  const one = (typeof given === 'object' && given !== null ? given : {}) as Record<string, unknown>;
  const text = (key: string): string | null =>
    typeof one[key] === 'string' && one[key] !== '' ? one[key].slice(0, 255) : null;
  const volumeId = text('volume_id');
  const snapshotId = text('snapshot_id');
  if ((volumeId === null) === (snapshotId === null))
    throw invalid('a device must name volume_id or snapshot_id.');
  const device = text('device_name');
  return {
    source: volumeId === null ? 'snapshot' : 'volume',
    id: volumeId ?? snapshotId,
    boot: device !== null && /^(?:\/dev\/)?[a-z]+a$/.test(device),
    sizeGib: sizeOf(
      text('volume_size') ?? (typeof one['volume_size'] === 'number' ? one['volume_size'] : null),
    ),
    deleteOnTermination: isSet(one['delete_on_termination'] as boolean | string | undefined),
    device,
    tag: null,
    volumeType: null,
  };
}

export type BootDisks = {
  /** null: it boots from one of the devices. */
  imageId: string | null;
  devices: BootDevice[];
};

/** `count`: servers that are asked for. */
export function readBootDisks(asked: Asked, count: number): BootDisks {
  const legacy = asked.block_device_mapping ?? [];
  const mappings = asked.block_device_mapping_v2 ?? [];
  if (legacy.length > 0 && mappings.length > 0)
    throw badRequest('Using different block_device_mapping syntaxes is not allowed in the same request.');
  const isLocalRoot = (one: Mapping): boolean =>
    one.source_type === 'image' &&
    (one.destination_type ?? 'local') === 'local' &&
    Number(one.boot_index ?? -1) === 0;
  const local = mappings.filter(isLocalRoot);
  if (local.length > 1) throw invalid('only one device may have boot_index 0.');
  const devices = [...legacy.map(legacyDevice), ...mappings.filter((one) => !isLocalRoot(one)).map(deviceOf)];
  const imageRef = asked.imageRef === undefined || asked.imageRef === '' ? null : asked.imageRef;
  const localImage = local[0]?.uuid ?? null;
  if (imageRef !== null && localImage !== null && imageRef !== localImage)
    throw invalid(`boot_index 0 names image ${localImage}, imageRef names ${imageRef}.`);
  // As Nova: an image beside a volume that is booted from says nothing more.
  const bootsVolume = mappings.some((one) => !isLocalRoot(one) && Number(one.boot_index ?? -1) === 0);
  const imageId = localImage ?? (bootsVolume ? null : imageRef);
  const boots = devices.filter((one) => one.boot).length + (imageId === null ? 0 : 1);
  if (boots === 0)
    throw badRequest('Invalid imageRef provided: name an imageRef, or a volume with boot_index 0.');
  if (boots > 1)
    throw invalid(
      'Boot sequence for the instance and image/block device mapping combination is not valid: only one device may have boot_index 0, and an imageRef is one.',
    );
  const twice = devices.find(
    (one, at) =>
      one.source === 'volume' &&
      devices.findIndex((other) => other.source === 'volume' && other.id === one.id) !== at,
  );
  if (twice !== undefined) throw invalid(`volume ${twice.id ?? ''} is named twice.`);
  if (count > 1 && devices.some((one) => one.source === 'volume'))
    throw invalid('several servers cannot share a volume; create them one by one.');
  return { imageId, devices };
}
