// For tests of compute: the other services in memory, and a host that does at once what it is told.
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { badRequest, notFound } from '../../kernel/errors.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { Rights } from '../../kernel/policy.ts';
import type { ServerBody } from '../../protocol/items.ts';
import type { ConsoleKind, HostConsole, HostFacts, Link, Report } from '../../protocol/link.ts';
import { createHostService, type HostService } from '../host/index.ts';
import type { BootImage, ImageApi, Reservation } from '../image/index.ts';
import type { NetworkApi, ServerPort } from '../network/index.ts';
import type { VolumeApi } from '../volume/index.ts';
import type { PlacementApi } from '../placement/index.ts';

export const testImage = (id: string, more: Partial<BootImage> = {}): BootImage => ({
  id,
  name: id,
  diskFormat: 'qcow2',
  containerFormat: 'bare',
  hash: 'ab'.repeat(64),
  size: 1_000_000,
  virtualSize: 1024 ** 3,
  minDisk: 0,
  minRam: 0,
  properties: {},
  ...more,
});

const notHere = async (): Promise<never> => {
  throw notFound('Volume', 'none');
};
/** Servers without volumes: what those do is tested with the real service. */
const noVolumes: VolumeApi = {
  forClients: {
    listVolumes: async () => [],
    showVolume: notHere,
    createVolume: notHere,
    deleteVolume: notHere,
    listSnapshots: async () => [],
    showSnapshot: notHere,
    createSnapshot: notHere,
    deleteSnapshot: notHere,
  },
  attach: notHere,
  createFor: notHere,
  detach: notHere,
  setDeleteOnTermination: notHere,
  find: notHere,
  of: async () => new Map(),
  compiled: async () => {},
  reported: async () => {},
  gone: async () => {},
  offHost: async () => {},
  onServerNamed: () => {},
  onServerVolumesChanged: () => {},
  onServerVolumeExtended: () => {},
};

export type FakeCloud = {
  hosts: HostService;
  images: ImageApi & {
    known: Map<string, BootImage>;
    reserved: Reservation[];
    /** Image id -> content. */
    contents: Map<string, string>;
    abandoned: string[];
    discarded: string[];
  };
  volumes: VolumeApi;
  stillHolds(rights: Rights): boolean;
  network: NetworkApi & {
    ports: Map<string, ServerPort[]>;
    changed(platform: Platform, serverId: string, ports: ServerPort[]): Promise<void>;
  };
  /** `hosts`: hostname -> id; empty: no valid host. */
  placement: PlacementApi & { hosts: Map<string, string>; claimed: Set<string> };
};

export function fakeCloud(platform: Platform): FakeCloud {
  const known = new Map(
    [
      testImage('tiny'),
      testImage('box', { containerFormat: 'docker', diskFormat: 'raw', virtualSize: null }),
    ].map((one) => [one.id, one]),
  );
  const reserved: Reservation[] = [];
  const contents = new Map<string, string>();
  const abandoned: string[] = [];
  const discarded: string[] = [];
  const ports = new Map<string, ServerPort[]>();
  let handler: Parameters<NetworkApi['onServerPortsChanged']>[0] = async () => {};
  let lastPort = 0;
  const hosts = new Map<string, string>();
  const claimed = new Set<string>();
  return {
    hosts: createHostService(platform, { openImage: async () => Readable.from([]) }),
    images: {
      known,
      async forBoot(_db, _ctx, id) {
        const image = known.get(id);
        if (image === undefined) throw notFound('Image', id);
        return image;
      },
      open: async () => Readable.from([]),
      async reserveFor(_tx, _ctx, wanted) {
        reserved.push(wanted);
        return `image-${reserved.length}`;
      },
      reserve: async () => ({ id: 'reserved', visibility: 'private' }),
      async receive(id, stream) {
        contents.set(id, await text(stream));
        known.set(id, testImage(id));
      },
      abandon: async (id) => void abandoned.push(id),
      async discard(_tx, id) {
        if (contents.delete(id)) known.delete(id);
        discarded.push(id);
      },
      filled: async (_db, ids) => new Set(ids.filter((id) => contents.has(id))),
      show: async (_ctx, id) => {
        throw notFound('Image', id);
      },
      list: async () => [],
      remove: async (_ctx, id) => {
        throw notFound('Image', id);
      },
      setProperties: async (_ctx, id) => {
        throw notFound('Image', id);
      },
      reserved,
      contents,
      abandoned,
      discarded,
    },
    volumes: noVolumes,
    stillHolds: () => true,
    network: {
      ports,
      checkPorts: async () => 1,
      async claimPorts(_tx, _ctx, server, requests, groups) {
        if (requests === 'none') return [];
        const networks =
          requests === 'auto' || requests === 'allocate'
            ? ['net']
            : requests.map((one) => ('portId' in one ? 'net' : one.networkId));
        if (networks.includes('nowhere')) throw badRequest('Network nowhere could not be found.');
        const made = networks.map((network): ServerPort => {
          lastPort += 1;
          const hex = lastPort.toString(16).padStart(6, '0');
          return {
            portId: `port-${lastPort}`,
            mac: `fa:16:3e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`,
            networkId: network,
            networkName: network,
            fixedIps: [
              {
                subnetId: 'subnet',
                ipAddress: `10.0.${lastPort >> 8}.${lastPort & 255}`,
                version: 4,
                floatingIp: null,
              },
            ],
            securityGroups: (groups ?? ['default']).map((name) => ({ id: `sg-${name}`, name })),
          };
        });
        ports.set(server.id, made);
        return made;
      },
      interfaces: {
        attach: async () => {
          throw badRequest('servers keep the interfaces that they were made with');
        },
        detach: async () => {},
        compiled: async () => {},
        reported: async () => false,
        addFixedIp: async () => {},
        removeFixedIp: async () => {},
        states: async () => new Map(),
      },
      bindPorts: async () => {},
      releasePorts: async (_tx, id) => void ports.delete(id),
      portsOf: async (_db, ids) => new Map(ids.map((id) => [id, ports.get(id) ?? []])),
      onServerPortsChanged: (one) => void (handler = one),
      networks: { list: async () => [], show: notHere },
      floatingIps: {
        pools: async () => [],
        list: async () => [],
        show: notHere,
        allocate: notHere,
        remove: notHere,
        associate: notHere,
        dissociate: notHere,
      },
      groups: {
        list: async () => [],
        show: async (_ctx, id) => {
          throw notFound('Security group', id);
        },
        create: async (_ctx, name, description) => ({
          id: name,
          name,
          description,
          project_id: '',
          rules: [],
        }),
        update: async (_ctx, id, asked) => ({ id, ...asked, project_id: '', rules: [] }),
        remove: async () => {},
        addRule: async () => {
          throw badRequest('no rules here');
        },
        removeRule: async () => {},
        setMember: async () => {},
      },
      async changed(platform, id, now) {
        ports.set(id, now);
        await platform.db.tx((tx) => handler(tx, [id]));
      },
    },
    placement: {
      hosts,
      claimed,
      async claim(_tx, request) {
        const names = [...hosts.keys()].filter(
          (name) => request.hostname === null || name === request.hostname,
        );
        const [hostname] = names;
        const explanation = {
          considered: hosts.size,
          refused: { memory: hosts.size - names.length },
          examples: [],
          scores: {},
        };
        if (hostname === undefined)
          return {
            placed: false,
            explanation: {
              ...explanation,
              considered: 1,
              refused: { memory: 1 },
              examples: [
                {
                  host: 'node-9',
                  filter: 'memory',
                  reason: 'memory 512 MiB requested, 128 of 2048 MiB free',
                },
              ],
            },
          };
        claimed.add(request.serverId);
        return { placed: true, hostId: hosts.get(hostname) ?? '', hostname, zone: 'nova', explanation };
      },
      preview: async () => ({
        hosts: [],
        explanation: { considered: 0, refused: {}, examples: [], scores: {} },
      }),
      async move(_tx, from, to) {
        if (claimed.delete(from)) claimed.add(to);
        return { vcpus: 1, memoryMib: 512, diskGib: 1 };
      },
      async release(_tx, id) {
        return claimed.delete(id) ? { vcpus: 1, memoryMib: 512, diskGib: 1 } : null;
      },
    },
  };
}

export const testFacts = (hostname: string): HostFacts => ({
  hostname,
  architecture: 'x86_64',
  vcpus: 8,
  memoryMib: 16_384,
  diskGib: 100,
  address: '127.0.0.1',
  cpuModel: 'test',
  guests: [
    {
      type: 'vm',
      driver: 'sim',
      hypervisorType: 'QEMU',
      hypervisorVersion: 7_002_022,
      capabilities: ['pause', 'suspend', 'snapshot', 'resize', 'nmi', 'serial', 'vnc'],
    },
    {
      type: 'container',
      driver: 'sim',
      hypervisorType: 'podman',
      hypervisorVersion: 4_003_001,
      capabilities: ['pause', 'resize', 'shell'],
    },
  ],
});

export type FakeHost = {
  id: string;
  bodies: Map<string, { generation: number; body: ServerBody }>;
  /** What it says of a server it was handed; null: nothing. */
  answer(id: string, body: ServerBody): Pick<Report, 'state' | 'error' | 'power'> | null;
  report(id: string, more: Partial<Report>): Promise<void>;
  /** The disk of a server, when an image is made of it. */
  exportServer(id: string): Promise<Readable>;
  /** A console of a server; unless it is replaced, what is typed comes back. */
  openConsole(id: string, kind: ConsoleKind): Promise<HostConsole>;
  /** Servers that got a non-maskable interrupt. */
  interrupted: string[];
  /** Pulls and reports once; nothing is left to do when it answers 0. */
  work(): Promise<number>;
};

/** A host that pulls when `work` is called, and on its own once `follow` is true. */
export async function fakeHost(link: Link, hostname: string, follow = true): Promise<FakeHost> {
  const { hostId } = await link.register(testFacts(hostname), {
    consoleLog: async (id, lines) => `console of ${id}, lines ${lines ?? 'all'}\n`,
    openConsole: (id, kind) => host.openConsole(id, kind),
    exportServer: (id) => host.exportServer(id),
    interruptServer: async (id) => void host.interrupted.push(id),
  });
  let revision = 0;
  let running: Promise<unknown> = Promise.resolve();
  const host: FakeHost = {
    id: hostId,
    bodies: new Map(),
    interrupted: [],
    openConsole: async () => {
      const bytes = new PassThrough();
      return { bytes, resize: (columns, rows) => void bytes.write(`[${columns}x${rows}]`) };
    },
    exportServer: async (id) => Readable.from([`disk of ${id}`]),
    answer: (_id, body) => ({ state: 'applied', error: null, power: body.power }),
    report: (id, more) => {
      const known = host.bodies.get(id);
      return link.report(hostId, [
        {
          kind: 'server',
          id,
          generation: known?.generation ?? 0,
          state: 'applied',
          error: null,
          rebootCount: known?.body.rebootCount ?? 0,
          ...more,
        },
      ]);
    },
    async work() {
      const pull = await link.pull(hostId, revision);
      revision = pull.revision;
      const reports: Report[] = [];
      for (const item of pull.items) {
        if (item.kind !== 'server') continue;
        if (item.body === null) {
          host.bodies.delete(item.id);
          reports.push({
            kind: 'server',
            id: item.id,
            generation: item.generation,
            state: 'gone',
            error: null,
          });
        } else {
          host.bodies.set(item.id, { generation: item.generation, body: item.body });
          const said = host.answer(item.id, item.body);
          if (said !== null)
            reports.push({
              kind: 'server',
              id: item.id,
              generation: item.generation,
              rebootCount: item.body.rebootCount,
              rebuildCount: item.body.rebuildCount,
              resizeCount: item.body.resizeCount,
              ...said,
            });
        }
      }
      await link.report(hostId, reports);
      return pull.items.length;
    },
  };
  if (follow) link.onWake(hostId, () => void (running = running.then(() => host.work()).catch(() => {})));
  return host;
}

/** Asks again until the answer is good, for at most five seconds; returns the last answer. */
export async function eventually<T>(ask: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  const end = Date.now() + 5000;
  for (;;) {
    const value = await ask();
    if (good(value) || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
