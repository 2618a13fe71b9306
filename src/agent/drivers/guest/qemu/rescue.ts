// Rescue: the guest boots from another image, and has its own root disk beside. "Stable": its disks keep their places
// and the rescue device comes last; otherwise the rescue disk takes the place of the root, which comes second.
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import type { GuestSpec } from '../driver.ts';
import { baseFormat, ensureDisk } from './disk.ts';

export const RescueHardware = Type.Object({
  format: Type.Union([Type.Literal('raw'), Type.Literal('qcow2')]),
  stable: Type.Boolean(),
  device: Type.Union([Type.Literal('disk'), Type.Literal('cdrom')]),
  bus: Type.Union([Type.Literal('virtio'), Type.Literal('scsi'), Type.Literal('sata'), Type.Literal('usb')]),
});
export type RescueHardware = Static<typeof RescueHardware>;

export function rescueOf({ body }: GuestSpec, rootBus: 'virtio' | 'scsi' | 'sata'): RescueHardware | null {
  if (body.rescue === undefined) return null;
  const { image, stable, device, bus } = body.rescue;
  return {
    format: baseFormat(image.diskFormat),
    stable,
    device: stable ? device : 'disk',
    bus: stable ? bus : rootBus,
  };
}

/** `slot`: of its own, for buses that need one. */
export function rescueDevices(
  { device, bus, stable }: RescueHardware,
  slot: string,
): Record<string, unknown>[] {
  // Before the root disk, whose index is 1.
  const drive = { id: 'rescue-disk', drive: device === 'cdrom' ? 'rescue-base' : 'rescue', bootindex: 0 };
  const kind = device === 'cdrom' ? 'cd' : 'hd';
  switch (bus) {
    case 'virtio':
      return [{ driver: 'virtio-blk-pci', ...drive, bus: slot }];
    case 'scsi':
      return [
        { driver: 'virtio-scsi-pci', id: 'rescue-scsi', bus: slot },
        { driver: `scsi-${kind}`, ...drive, bus: 'rescue-scsi.0' },
      ];
    case 'sata':
      return [{ driver: `ide-${kind}`, ...drive, bus: stable ? 'ide.2' : 'ide.0' }];
    case 'usb':
      return [
        { driver: 'qemu-xhci', id: 'rescue-usb', bus: slot },
        { driver: 'usb-storage', ...drive, bus: 'rescue-usb.0', removable: false },
      ];
  }
}

const diskOf = (dir: string, imageId: string): string => join(dir, `rescue-${imageId}.qcow2`);

/** Makes the rescue disk of a guest that is to be rescued; removes those that nobody boots from any more. */
export async function prepareRescue(
  dir: string,
  spec: GuestSpec,
): Promise<{ disk: string; base: string } | null> {
  const { rescue } = spec.body;
  const base = spec.rescueImagePath ?? null;
  const disk = rescue === undefined || base === null ? null : diskOf(dir, rescue.image.id);
  for (const name of existsSync(dir) ? await readdir(dir) : [])
    if (name.startsWith('rescue-') && join(dir, name) !== disk) await rm(join(dir, name), { force: true });
  if (rescue === undefined || base === null || disk === null) return null;
  await ensureDisk(disk, { id: spec.id, imagePath: base, diskFormat: rescue.image.diskFormat, rootGib: 0 });
  return { disk, base };
}
