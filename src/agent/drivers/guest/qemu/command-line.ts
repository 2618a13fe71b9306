// The QEMU command line of a guest: a pure function of its hardware and its file descriptors. Nothing that
// a tenant typed gets here except numbers and values from the tables below.
import { Type, type Static } from 'typebox';
import { DriverError } from '../../errors.ts';
import type { GuestSpec } from '../driver.ts';
import type { Accelerator } from './accelerator.ts';
import { baseFormat } from './disk.ts';
import { nicArguments } from './nics.ts';
import { rescueDevices, RescueHardware, rescueOf } from './rescue.ts';
import { volumeArguments } from './volumes.ts';

/** Everything the command line depends on. Kept with a suspended guest: its memory fits only the same hardware. */
export const Hardware = Type.Object({
  id: Type.String(),
  machine: Type.String(),
  accelerator: Type.Union([Type.Literal('kvm'), Type.Literal('tcg')]),
  vcpus: Type.Integer(),
  memoryMib: Type.Integer(),
  /** null: it boots from a volume. */
  diskFormat: Type.Union([Type.Literal('raw'), Type.Literal('qcow2'), Type.Null()]),
  diskBus: Type.Union([Type.Literal('virtio'), Type.Literal('scsi'), Type.Literal('sata')]),
  vifModel: Type.Union([Type.Literal('virtio'), Type.Literal('e1000'), Type.Literal('e1000e')]),
  taps: Type.Array(
    Type.Object({
      device: Type.String(),
      mac: Type.String(),
      mtu: Type.Integer(),
      /** Absent in records of older versions, where the place in this list is the slot's too. */
      portId: Type.Optional(Type.String()),
      slot: Type.Optional(Type.Integer()),
    }),
  ),
  /** Absent: it boots as it is. */
  rescue: Type.Optional(RescueHardware),
  /** Absent in records of older versions. */
  configDrive: Type.Optional(Type.Boolean()),
  cdromBus: Type.Optional(Type.Union([Type.Literal('scsi'), Type.Literal('sata')])),
  /** Root ports; absent in records of older versions. */
  slots: Type.Optional(Type.Integer()),
  /** At its start; absent in records of older versions. */
  volumes: Type.Optional(
    Type.Array(
      Type.Object({
        volumeId: Type.String(),
        readOnly: Type.Boolean(),
        boot: Type.Boolean(),
        layers: Type.Array(
          Type.Object({
            id: Type.String(),
            path: Type.String(),
            format: Type.Union([Type.Literal('raw'), Type.Literal('qcow2')]),
          }),
        ),
      }),
    ),
  ),
});
export type Hardware = Static<typeof Hardware>;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const macAddress = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
/** Linux interface names that need no quoting anywhere. */
const interfaceName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
export const netnsName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** q35 without interrupt remapping. */
const maxVcpus = 255;

const diskBuses: readonly Hardware['diskBus'][] = ['virtio', 'scsi', 'sata'];
const vifModels: readonly Hardware['vifModel'][] = ['virtio', 'e1000', 'e1000e'];

function pick<T extends string>(
  property: string,
  value: string | undefined,
  known: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  const found = known.find((each) => each === value);
  if (found !== undefined) return found;
  throw new DriverError(
    'refused',
    `${property}=${JSON.stringify(value)} is not supported here; use one of ${known.join(', ')}`,
  );
}

/** Hot-pluggable slots beyond those in use at start. */
const spareSlots = 8;
export const diskSlots = 1;
const slotsFor = (nics: number, dataVolumes: number): number =>
  diskSlots + nics + Math.max(spareSlots, dataVolumes + 2);

/** Checks the desired body and resolves its properties. Throws DriverError 'refused' with the field and the rule. */
export function hardwareOf(spec: GuestSpec, host: { machine: string; accelerator: Accelerator }): Hardware {
  const { id, body } = spec;
  if (body.type !== 'vm')
    throw new DriverError('refused', `server ${id} is a ${body.type}; QEMU runs type vm only`);
  if (!uuid.test(id))
    throw new DriverError('refused', `server id ${JSON.stringify(id)} is not a UUID, which SMBIOS needs`);
  if (body.vcpus > maxVcpus) {
    throw new DriverError(
      'refused',
      `server ${id} asks for ${body.vcpus} vcpus; a virtual machine has at most ${maxVcpus}`,
    );
  }
  const { hw_architecture: architecture, hw_firmware_type: firmware } = body.properties;
  pick('hw_architecture', architecture, ['x86_64'], 'x86_64');
  pick('hw_firmware_type', firmware, ['bios'], 'bios');
  const taps = spec.ports.map((port, at) => {
    if (port.plug !== 'tap')
      throw new DriverError(
        'refused',
        `port ${port.portId} is plugged as ${port.plug}; a virtual machine needs a tap`,
      );
    if (!interfaceName.test(port.device) || !macAddress.test(port.mac)) {
      throw new DriverError(
        'refused',
        `port ${port.portId} has a device name or MAC address that is not well-formed`,
        `${port.device} ${port.mac}`,
      );
    }
    return { device: port.device, mac: port.mac, mtu: port.mtu, portId: port.portId, slot: diskSlots + at };
  });
  const diskBus = pick('hw_disk_bus', body.properties['hw_disk_bus'], diskBuses, 'virtio');
  const rescue = rescueOf(spec, diskBus);
  const cdromBus = pick(
    'hw_cdrom_bus',
    body.properties['hw_cdrom_bus'],
    ['scsi', 'sata'] as const,
    diskBus === 'sata' ? 'sata' : 'scsi',
  );
  const dataVolumes = spec.volumes.filter((volume) => !volume.boot).length;
  return {
    id,
    machine: host.machine,
    accelerator: host.accelerator,
    vcpus: body.vcpus,
    memoryMib: body.memoryMib,
    diskFormat: body.image === null ? null : baseFormat(body.image.diskFormat),
    diskBus,
    vifModel: pick('hw_vif_model', body.properties['hw_vif_model'], vifModels, 'virtio'),
    taps,
    // What rescues it has the last, where no disk of its own is disturbed.
    slots: slotsFor(taps.length, dataVolumes) + (rescue === null ? 0 : 1),
    ...(rescue === null ? {} : { rescue }),
    ...((spec.configDrive ?? null) === null ? {} : { configDrive: true, cdromBus }),
    volumes: spec.volumes
      .map(({ volumeId, readOnly, boot, layers }) => ({ volumeId, readOnly, boot, layers }))
      .toSorted((a, b) => Number(b.boot) - Number(a.boot)),
  };
}

/** The one namespace in which all of a guest's taps live; null: it has none. */
export function netnsOf(spec: GuestSpec): string | null {
  const names = [...new Set(spec.ports.map((port) => port.netns))];
  if (names.length > 1) {
    throw new DriverError(
      'failed',
      `the ports of server ${spec.id} are plugged in different namespaces; plug them again`,
      names.join(' '),
    );
  }
  const [name] = names;
  if (name === undefined) return null;
  if (!netnsName.test(name))
    throw new DriverError('refused', 'a port names a namespace that is not well-formed', name);
  return name;
}

/** MiB of translated code. QEMU's default of a gigabyte would dwarf a small guest. */
export const translationCacheMib = (memoryMib: number): number =>
  memoryMib <= 512 ? 32 : memoryMib <= 2048 ? 64 : 128;

export const fds = { disk: 3, base: 4, console: 5, rescue: 6, rescueBase: 7, configDrive: 8 } as const;
/** Descriptors that a guest with this hardware inherits. */
const fdsOf = (hardware: Hardware): number[] => [
  ...(hardware.diskFormat === null ? [] : [fds.disk, fds.base]),
  fds.console,
  ...(hardware.rescue === undefined ? [] : [fds.rescue, fds.rescueBase]),
  ...(hardware.configDrive === true ? [fds.configDrive] : []),
];
const fdset = (fd: number): string => `/dev/fdset/${fd}`;

/**
 * `sockets` is the guest's runtime folder. Disk, image and console log come as inherited descriptors, so
 * that QEMU needs no right to any path below the data dir. `restore` names a snapshot to resume from, paused.
 */
export function qemuArguments(hardware: Hardware, sockets: string, restore: string | null): string[] {
  const { id, accelerator, vcpus, memoryMib } = hardware;
  const device = (fields: Record<string, unknown>): string[] => ['-device', JSON.stringify(fields)];
  const blockdev = (fields: Record<string, unknown>): string[] => ['-blockdev', JSON.stringify(fields)];
  const monitor = (name: string): string[] => [
    ...['-chardev', `socket,id=${name},path=${sockets}/${name}.sock,server=on,wait=off`],
    ...['-mon', `chardev=${name},mode=control`],
  ];
  const volumes = hardware.volumes ?? [];
  const bootVolume = volumes.some((volume) => volume.boot);
  const slots = hardware.slots ?? slotsFor(hardware.taps.length, volumes.length - (bootVolume ? 1 : 0));
  const rootPorts = Array.from({ length: slots }, (_, slot) =>
    device({
      driver: 'pcie-root-port',
      id: `slot${slot}`,
      bus: 'pcie.0',
      chassis: slot + 1,
      slot: slot + 1,
      addr: `0x${(0x10 + (slot >> 3)).toString(16)}.0x${slot & 7}`,
      multifunction: true,
      // SeaBIOS hands each port 4 KiB of the 64 KiB of I/O ports unless told; none of our devices uses them
      'io-reserve': 0,
    }),
  ).flat();
  const { rescue } = hardware;
  const ownSlots = slots - (rescue === undefined ? 0 : 1);
  // Second, where the rescue disk has taken the first place.
  const moved = rescue !== undefined && !rescue.stable;
  const rootSlot = moved ? `slot${diskSlots + hardware.taps.length}` : 'slot0';
  const root = { id: 'root-disk', drive: 'root', bootindex: 1 };
  const diskDevice: Record<Hardware['diskBus'], () => string[]> = {
    virtio: () => device({ driver: 'virtio-blk-pci', ...root, bus: rootSlot }),
    scsi: () => [
      ...device({ driver: 'virtio-scsi-pci', id: 'scsi', bus: rootSlot }),
      ...device({ driver: 'scsi-hd', ...root, bus: 'scsi.0' }),
    ],
    sata: () => device({ driver: 'ide-hd', ...root, bus: moved ? 'ide.1' : 'ide.0' }),
  };
  const file = (name: string, fd: number, more: Record<string, unknown>): string[] =>
    blockdev({ 'node-name': name, driver: 'file', filename: fdset(fd), 'auto-read-only': false, ...more });
  /** A qcow2 of its own over an image that is only read. */
  const overlay = (
    name: 'root' | 'rescue',
    format: 'raw' | 'qcow2',
    [top, below]: readonly [number, number],
  ): string[] => {
    const base = name === 'root' ? 'base' : 'rescue-base';
    return [
      ...file(`${base}-file`, below, { 'read-only': true }),
      ...blockdev({
        'node-name': base,
        driver: format,
        file: `${base}-file`,
        'read-only': true,
        'auto-read-only': false,
        ...(format === 'qcow2' ? { backing: null } : {}),
      }),
      ...file(`${name}-file`, top, { discard: 'unmap' }),
      ...blockdev({
        'node-name': name,
        driver: 'qcow2',
        file: `${name}-file`,
        backing: base,
        discard: 'unmap',
        'auto-read-only': false,
      }),
    ];
  };
  const disks = [
    ...(rescue === undefined
      ? []
      : [
          ...overlay('rescue', rescue.format, [fds.rescue, fds.rescueBase]),
          ...rescueDevices(rescue, rescue.stable ? `slot${ownSlots}` : 'slot0').flatMap(device),
        ]),
    ...(hardware.diskFormat === null
      ? []
      : [...overlay('root', hardware.diskFormat, [fds.disk, fds.base]), ...diskDevice[hardware.diskBus]()]),
    ...(hardware.configDrive === true
      ? [
          ...file('config-file', fds.configDrive, { 'read-only': true }),
          ...blockdev({ 'node-name': 'config', driver: 'raw', file: 'config-file', 'read-only': true }),
          ...(hardware.cdromBus === 'sata'
            ? device({ driver: 'ide-cd', id: 'config-drive', drive: 'config', bus: 'ide.5' })
            : [
                // Kernels that are made for clouds have no driver of SATA.
                ...device({ driver: 'virtio-scsi-pci', id: 'cdrom', bus: 'pcie.0', addr: '0x4' }),
                ...device({ driver: 'scsi-cd', id: 'config-drive', drive: 'config', bus: 'cdrom.0' }),
              ]),
        ]
      : []),
  ];
  return [
    ...['-name', `strata-${id}`, '-uuid', id],
    ...['-M', hardware.machine, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...(accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : [
          ...[
            '-accel',
            `tcg,tb-size=${translationCacheMib(memoryMib)},thread=${vcpus > 1 ? 'multi' : 'single'}`,
          ],
          ...['-cpu', 'max'],
        ]),
    ...['-m', String(memoryMib), '-smp', String(vcpus), '-rtc', 'base=utc', '-boot', 'strict=on'],
    ...['-smbios', `type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,uuid=${id},serial=${id}`],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    // a guest that powers itself off stays as a halted process, so that nobody mistakes it for a crash
    ...['-no-shutdown', '-global', 'ICH9-LPC.disable_s3=1', '-global', 'ICH9-LPC.disable_s4=1'],
    ...['-pidfile', `${sockets}/pid`],
    ...monitor('qmp'),
    ...monitor('qmp-spare'),
    ...fdsOf(hardware).flatMap((fd) => ['-add-fd', `fd=${fd},set=${fd}`]),
    ...[
      '-chardev',
      `socket,id=serial,path=${sockets}/serial.sock,server=on,wait=off,logfile=${fdset(fds.console)},logappend=on`,
    ],
    ...['-serial', 'chardev:serial'],
    ...['-vnc', `unix:${sockets}/vnc.sock`],
    ...device({ driver: 'VGA', bus: 'pcie.0', addr: '0x1', vgamem_mb: 8 }),
    ...rootPorts,
    ...device({ driver: 'virtio-rng-pci', bus: 'pcie.0', addr: '0x2' }),
    ...device({
      driver: 'virtio-balloon-pci',
      id: 'balloon',
      bus: 'pcie.0',
      addr: '0x3',
      'free-page-reporting': true,
    }),
    ...disks,
    // the last slots, in the order of their devices; what is plugged later takes those before them
    ...volumeArguments(volumes, (at) =>
      bootVolume && at === 0 ? 'slot0' : `slot${ownSlots - volumes.length + at}`,
    ),
    ...nicArguments(hardware, diskSlots),
    ...(restore === null ? [] : ['-loadvm', restore, '-S']),
  ];
}
