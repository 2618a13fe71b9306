// Volumes of a guest: on its command line, and plugged and unplugged while it runs.
import type { Clock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import type { VolumeLayer } from '../../volume/driver.ts';
import { chainNodes, nodesOf, type BlockNode } from '../block-nodes.ts';
import type { GuestSpec, GuestVolume, VolumeOutcome } from '../driver.ts';
import type { Qmp } from './qmp.ts';
import { sameThrottle, throttleIn, throttleOf, type Throttle } from './throttle.ts';

export type VolumeHardware = { volumeId: string; readOnly: boolean; boot: boolean; layers: VolumeLayer[] };

/** How long a guest may take to let go of a device before it is asked again later. */
const unplugMs = 8_000;
const unplugEveryMs = 1_000;

const deviceOf = (volumeId: string): string => `vol-${volumeId}`;

const deviceFields = (volume: VolumeHardware, slot: string): Record<string, unknown> => ({
  driver: 'virtio-blk-pci',
  id: deviceOf(volume.volumeId),
  drive: volume.layers[0]?.id,
  bus: slot,
  // a root port has one place; without this QEMU invents another, where no guest looks
  addr: '0x0',
  // what guests show below /dev/disk/by-id
  serial: volume.volumeId.slice(0, 20),
  ...(volume.boot ? { bootindex: 1 } : {}),
});

/** `slots`: one for each volume. Layers that volumes share are opened once. */
export function volumeArguments(
  volumes: readonly VolumeHardware[],
  slotOf: (at: number) => string,
): string[] {
  const nodes = new Map(
    volumes
      .flatMap((volume) => chainNodes(volume.layers, volume.readOnly))
      .map((node) => [node['node-name'], node]),
  );
  return [
    ...[...nodes.values()].flatMap((node) => ['-blockdev', JSON.stringify(node)]),
    ...volumes.flatMap((volume, at) => ['-device', JSON.stringify(deviceFields(volume, slotOf(at)))]),
  ];
}

/** `throttle`: QEMU's own names, of limits that are set. */
type Attached = { node: string; size: number; throttle: Throttle };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Volume id -> its top node and size, as QEMU has them. */
export async function attachedVolumes(qmp: Qmp): Promise<Map<string, Attached>> {
  const answer = await qmp.execute('query-block');
  const found = new Map<string, Attached>();
  for (const block of Array.isArray(answer) ? answer.filter(isRecord) : []) {
    const id = /^\/machine\/peripheral\/vol-([^/]+)(?:\/|$)/.exec(String(block['qdev'] ?? ''))?.[1];
    if (id === undefined) continue;
    const inserted = isRecord(block['inserted']) ? block['inserted'] : {};
    const image = isRecord(inserted['image']) ? inserted['image'] : {};
    found.set(id, {
      node: String(inserted['node-name'] ?? ''),
      size: Number(image['virtual-size'] ?? 0),
      throttle: throttleIn(inserted),
    });
  }
  return found;
}

const detailOf = (error: unknown): string =>
  error instanceof DriverError ? `${error.message} ${error.detail}` : String(error);

async function addNodes(qmp: Qmp, nodes: readonly BlockNode[]): Promise<void> {
  for (const node of nodes) {
    try {
      await qmp.execute('blockdev-add', node);
    } catch (error) {
      // An earlier attempt, or another volume of this guest, has opened it.
      if (!/already|duplicate/i.test(detailOf(error))) throw error;
    }
  }
}

/** What other volumes still need stays. */
async function deleteNodes(qmp: Qmp, names: readonly string[]): Promise<void> {
  for (const name of names) await qmp.execute('blockdev-del', { 'node-name': name }).catch(() => {});
}

/** The root ports of the guest, the last first: network interfaces take the first. */
export async function freeSlots(qmp: Qmp): Promise<string[]> {
  const answer = await qmp.execute('qom-list', { path: '/machine/peripheral' });
  const names = (Array.isArray(answer) ? answer.filter(isRecord) : []).map((one) => String(one['name']));
  return names
    .filter((name) => /^slot\d+$/.test(name))
    .sort((a, b) => Number(b.slice(4)) - Number(a.slice(4)));
}

async function plug(qmp: Qmp, volume: VolumeHardware): Promise<void> {
  const nodes = chainNodes(volume.layers, volume.readOnly);
  await addNodes(qmp, nodes);
  let last = 'no slot';
  for (const slot of await freeSlots(qmp)) {
    try {
      await qmp.execute('device_add', deviceFields(volume, slot));
      return;
    } catch (error) {
      last = detailOf(error);
      if (!/in use|not available|occupied|hotplug/i.test(last)) break;
    }
  }
  await deleteNodes(qmp, nodes.map((node) => node['node-name']).toReversed());
  throw new DriverError('failed', 'the guest has no free slot for another volume, or does not take it', last);
}

/** Nodes from this one down, as QEMU has them open. */
async function openChain(qmp: Qmp, top: string): Promise<string[]> {
  const answer = await qmp.execute('query-named-block-nodes', { flat: true });
  const known = new Set(
    (Array.isArray(answer) ? answer.filter(isRecord) : []).map((one) => String(one['node-name'])),
  );
  // The backing files of a node are not named in the flat list; those of volumes are whatever is left unused.
  return [top, ...[...known].filter((name) => /^[li][a-z0-9]{10,29}$/.test(name) && name !== top)];
}

async function unplug(qmp: Qmp, clock: Clock, volumeId: string, top: string): Promise<void> {
  const device = deviceOf(volumeId);
  const deadline = clock.now() + unplugMs;
  for (;;) {
    const gone = qmp.waitFor(
      ({ event, data }) => event === 'DEVICE_DELETED' && data['device'] === device,
      unplugEveryMs,
    );
    // Refused while the guest thinks about the last request.
    await qmp.execute('device_del', { id: device }).catch(() => {});
    await gone;
    if (!(await attachedVolumes(qmp)).has(volumeId)) break;
    if (clock.now() > deadline || qmp.closed)
      throw new DriverError(
        'failed',
        'the guest does not let go of the volume yet; unmount it there. It is asked again',
      );
  }
  // Each layer can only go after what lies over it: as often as something went, the next may.
  const names = await openChain(qmp, top);
  for (const _ of names)
    await deleteNodes(
      qmp,
      names.flatMap((name) => [name, `${name}-file`]),
    );
}

/** The guest writes to the newest layer from now on, and sees the size that the volume has. */
async function follow(qmp: Qmp, volume: GuestVolume, now: Attached): Promise<void> {
  const [top] = volume.layers;
  if (top === undefined) return;
  if (now.node !== top.id) {
    if (!volume.layers.some((layer) => layer.id === now.node))
      throw new DriverError(
        'failed',
        'the guest has the volume open in a state that is gone; stop and start the server',
        now.node,
      );
    await addNodes(qmp, nodesOf(top, volume.readOnly, null));
    if (volume.readOnly)
      throw new DriverError(
        'failed',
        'a volume that is attached read-only follows with the next start of its server',
      );
    await qmp.execute('blockdev-snapshot', { node: now.node, overlay: top.id });
  }
  if (now.size < volume.size) await qmp.execute('block_resize', { 'node-name': top.id, size: volume.size });
}

/** The guest is held to the limits of the volume, also when it has had it for long. */
async function limit(qmp: Qmp, volume: GuestVolume, now: Throttle): Promise<void> {
  const wanted = throttleOf(volume.limits ?? {});
  if (sameThrottle(wanted, now)) return;
  await qmp.execute('block_set_io_throttle', {
    id: `/machine/peripheral/${deviceOf(volume.volumeId)}/virtio-backend`,
    ...wanted,
  });
}

export async function syncVolumes(qmp: Qmp, clock: Clock, spec: GuestSpec): Promise<VolumeOutcome[]> {
  const wanted = new Set(spec.body.volumes.map((volume) => volume.volumeId));
  const outcomes: VolumeOutcome[] = [];
  const attempt = async (
    id: string,
    had: boolean,
    work: () => Promise<void>,
    has: boolean,
  ): Promise<void> => {
    try {
      await work();
      outcomes.push({ id, attached: has, error: null });
    } catch (error) {
      if (qmp.closed) throw error;
      outcomes.push({
        id,
        attached: had,
        error:
          error instanceof DriverError
            ? `Volume ${id}: ${error.message}.`
            : `Volume ${id} cannot be attached.`,
      });
    }
  };
  const before = await attachedVolumes(qmp);
  for (const [id, { node }] of before)
    if (!wanted.has(id)) await attempt(id, true, () => unplug(qmp, clock, id, node), false);
  for (const volume of spec.volumes) {
    const now = before.get(volume.volumeId);
    await attempt(
      volume.volumeId,
      now !== undefined,
      async () => {
        if (now === undefined) await plug(qmp, volume);
        else await follow(qmp, volume, now);
        await limit(qmp, volume, now?.throttle ?? throttleOf({}));
      },
      true,
    );
  }
  return outcomes;
}
