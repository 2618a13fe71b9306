// What reaches QEMU's command line: every device at its place, nothing that a user wrote as an option.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DriverError } from '../../errors.ts';
import { sampleServerBody, type SpecOverrides } from '../conformance.ts';
import type { GuestSpec, PluggedPort } from '../driver.ts';
import { hardwareOf, netnsOf, qemuArguments } from './command-line.ts';

const host = { machine: 'pc-q35-7.2', accelerator: 'tcg' as const };
const id = '6f0c9d5e-8f0a-4d0e-9a57-0c3f6b9f2f11';
const specOf = (overrides: SpecOverrides = {}): GuestSpec => ({
  id,
  ports: [],
  volumes: [],
  imagePath: '/images/x',
  ...overrides,
  body: sampleServerBody('vm', overrides.body),
});
const tap = (overrides: Partial<Extract<PluggedPort, { plug: 'tap' }>> = {}): PluggedPort => ({
  portId: 'p1',
  mac: '02:00:00:00:00:01',
  mtu: 1450,
  plug: 'tap',
  device: 'tap0',
  netns: 'ns',
  ...overrides,
});
const refusal = (spec: GuestSpec): DriverError | null => {
  try {
    hardwareOf(spec, host);
    return null;
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
};

describe('the QEMU command line', () => {
  test('contains nothing that a tenant typed', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.dictionary(fc.string(), fc.string()),
        (name, text, properties) => {
          const wild = (value: string): string => `MARK${value}`;
          const marked = Object.fromEntries(
            Object.entries(properties).map(([k, v]) => [`MARK${k}`, wild(v)]),
          );
          const spec = specOf({
            body: {
              name: wild(name),
              hostname: wild(text),
              projectId: 'MARKp',
              userId: 'MARKu',
              properties: marked,
            },
          });
          const args = qemuArguments(hardwareOf(spec, host), '/run/x', null);
          expect(args.join('\n')).not.toContain('MARK');
        },
      ),
    );
  });

  test('gives every block node an explicit driver and never reads a format or a backing file from content', () => {
    for (const diskFormat of ['raw', 'qcow2']) {
      const body = sampleServerBody('vm');
      const args = qemuArguments(
        hardwareOf(specOf({ body: { image: { ...body.image, diskFormat } } }), host),
        '/run/x',
        null,
      );
      const nodes = args
        .flatMap((arg, index) => (arg === '-blockdev' ? [args[index + 1] ?? ''] : []))
        .map((json) => JSON.parse(json) as Record<string, unknown>);
      expect(nodes).toHaveLength(4);
      for (const node of nodes)
        expect(node).toMatchObject({ driver: expect.any(String), 'auto-read-only': false });
      const base = nodes.find((node) => node['node-name'] === 'base');
      expect(base).toMatchObject({ driver: diskFormat, 'read-only': true });
      if (diskFormat === 'qcow2') expect(base).toHaveProperty('backing', null);
      expect(nodes.find((node) => node['node-name'] === 'root')).toMatchObject({
        driver: 'qcow2',
        backing: 'base',
      });
      expect(args).not.toContain('-drive');
    }
  });

  test('keeps the sandbox closed and the guest in the order of its ports', () => {
    const ports = [tap(), tap({ portId: 'p2', device: 'tap1', mac: '02:00:00:00:00:02' })];
    const args = qemuArguments(hardwareOf(specOf({ ports }), host), '/run/x', null);
    expect(args[args.indexOf('-sandbox') + 1]).toBe(
      'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    );
    const nics = args
      .filter((arg) => arg.includes('"driver":"virtio-net-pci"'))
      .map((arg) => JSON.parse(arg) as object);
    expect(nics).toMatchObject([
      { id: 'nic1-p1', netdev: 'net-p1', mac: '02:00:00:00:00:01', bus: 'slot1' },
      { id: 'nic2-p2', netdev: 'net-p2', mac: '02:00:00:00:00:02', bus: 'slot2' },
    ]);
  });

  test('boots a rescued guest from the rescue disk, with its own second, or in its place beside a stable one', () => {
    const image = {
      id: 'rescue',
      diskFormat: 'raw',
      containerFormat: 'bare',
      hash: '0'.repeat(128),
      size: 1,
    };
    const devices = (rescue: object): Record<string, { bus: string; bootindex: number }> => {
      const spec = specOf({ ports: [tap()], body: { rescue: { image, ...rescue } as never } });
      const args = qemuArguments(hardwareOf(spec, host), '/run/x', null);
      return Object.fromEntries(
        args
          .filter((arg) => /"id":"(root|rescue)-disk"/.test(arg))
          .map((arg) => JSON.parse(arg) as { id: string; bus: string; bootindex: number })
          .map(({ id: name, bus, bootindex }) => [name, { bus, bootindex }]),
      );
    };
    expect(devices({ stable: false, device: 'disk', bus: 'virtio' })).toEqual({
      'rescue-disk': { bus: 'slot0', bootindex: 0 },
      'root-disk': { bus: 'slot2', bootindex: 1 },
    });
    expect(devices({ stable: true, device: 'disk', bus: 'virtio' })).toEqual({
      'rescue-disk': { bus: 'slot10', bootindex: 0 },
      'root-disk': { bus: 'slot0', bootindex: 1 },
    });
    expect(devices({ stable: true, device: 'cdrom', bus: 'sata' })).toMatchObject({
      'rescue-disk': { bus: 'ide.2' },
      'root-disk': { bus: 'slot0' },
    });
  });

  test('gives each PCI root port an address of its own, however many ports there are', () => {
    const ports = Array.from({ length: 26 }, (_, i) => tap({ device: `tap${i}` }));
    const args = qemuArguments(hardwareOf(specOf({ ports }), host), '/run/x', null);
    const addresses = args
      .filter((arg) => arg.includes('pcie-root-port'))
      .map((arg) => (JSON.parse(arg) as { addr: string }).addr);
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const address of addresses) expect(Number(address.split('.')[0])).toBeLessThan(0x1f);
  });

  test('refuses what it cannot do, with the property, the value and the choices', () => {
    expect(refusal(specOf())).toBeNull();
    expect(refusal(specOf({ body: { properties: { hw_disk_bus: 'floppy' } } }))).toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/hw_disk_bus="floppy".*virtio, scsi, sata/),
    });
    expect(refusal(specOf({ body: { properties: { hw_architecture: 'aarch64' } } }))).toMatchObject({
      code: 'refused',
    });
    expect(refusal(specOf({ body: { properties: { hw_firmware_type: 'uefi' } } }))).toMatchObject({
      code: 'refused',
    });
    expect(refusal(specOf({ body: { vcpus: 256 } }))).toMatchObject({ code: 'refused' });
    expect(refusal(specOf({ id: 'not-a-uuid' }))).toMatchObject({ code: 'refused' });
    expect(refusal(specOf({ body: { type: 'container' } }))).toMatchObject({ code: 'refused' });
    for (const diskFormat of ['vmdk', 'vdi', 'vhd', 'qcow', 'raw,file=/etc/passwd', '']) {
      const { image } = sampleServerBody('vm');
      expect(refusal(specOf({ body: { image: { ...image, diskFormat } } })), diskFormat).toMatchObject({
        code: 'refused',
      });
    }
  });

  test('refuses device names, addresses and namespaces that could be read as an option', () => {
    for (const device of ['tap0,script=/bin/sh', '-x', '', 'a'.repeat(16), 'tap 0', 'tap\n']) {
      expect(refusal(specOf({ ports: [tap({ device })] })), device).toMatchObject({ code: 'refused' });
    }
    expect(refusal(specOf({ ports: [tap({ mac: '02:00:00:00:00:01,x=y' })] }))).toMatchObject({
      code: 'refused',
    });
    for (const netns of ['../x', '-n', 'a/b', ''])
      expect(() => netnsOf(specOf({ ports: [tap({ netns })] }))).toThrow(DriverError);
    expect(netnsOf(specOf({ ports: [tap(), tap()] }))).toBe('ns');
    expect(() => netnsOf(specOf({ ports: [tap(), tap({ netns: 'other' })] }))).toThrow(DriverError);
    expect(netnsOf(specOf())).toBeNull();
  });
});
