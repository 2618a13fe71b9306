// What passes between an agent and control besides items: registration, reports, image content and
// queries. `Link` is the agent's side of the conversation; in `up` it is bound to control in the same
// process, and every value that crosses it is plain data, so that a wire can carry it unchanged.
import type { Duplex, Readable } from 'node:stream';
import { Type, type Static } from 'typebox';
import type { Item, ItemKind } from './items.ts';

/** What a host can do, probed at start; capability flags gate the API and the scheduler. */
export const HostFacts = Type.Object({
  hostname: Type.String({ minLength: 1, maxLength: 255 }),
  architecture: Type.String(),
  /** Physical resources, before allocation ratios. */
  vcpus: Type.Integer({ minimum: 1 }),
  memoryMib: Type.Integer({ minimum: 1 }),
  diskGib: Type.Integer({ minimum: 0 }),
  /** Address under which the host is reached by its peers. */
  address: Type.String(),
  cpuModel: Type.String(),
  /** One entry a guest driver that works on this host. */
  guests: Type.Array(
    Type.Object({
      type: Type.Union([Type.Literal('vm'), Type.Literal('container')]),
      driver: Type.String(),
      /** e.g. 'QEMU' and 7002022, or 'podman' and 4003001: as Nova shows hypervisor_version. */
      hypervisorType: Type.String(),
      hypervisorVersion: Type.Integer(),
      /** e.g. ['pause', 'suspend', 'kvm']. */
      capabilities: Type.Array(Type.String()),
    }),
  ),
  /** Where this host keeps volumes; absent: it keeps none. */
  volumes: Type.Optional(
    Type.Object({
      driver: Type.String(),
      totalGib: Type.Integer({ minimum: 0 }),
      /** e.g. ['snapshot', 'clone', 'extend-attached']. */
      capabilities: Type.Array(Type.String()),
    }),
  ),
});
export type HostFacts = Static<typeof HostFacts>;

/** What the agent observed of one item, at the generation it had applied. */
export const Report = Type.Object({
  kind: Type.String(),
  id: Type.String(),
  generation: Type.Integer(),
  /** applied: the world matches; failed: it does not, see error; gone: removed from the host. */
  state: Type.Union([Type.Literal('applied'), Type.Literal('failed'), Type.Literal('gone')]),
  /** Public message with object, value, rule and next step; null unless failed. */
  error: Type.Union([Type.Null(), Type.String()]),
  /** Servers only. */
  power: Type.Optional(
    Type.Union([
      Type.Literal('running'),
      Type.Literal('stopped'),
      Type.Literal('paused'),
      Type.Literal('suspended'),
      Type.Literal('crashed'),
    ]),
  ),
  rebootCount: Type.Optional(Type.Integer()),
  rebuildCount: Type.Optional(Type.Integer()),
  /** The guest boots from its rescue image. */
  rescued: Type.Optional(Type.Boolean()),
  resizeCount: Type.Optional(Type.Integer()),
  /** How often the agent brought this guest back after it crashed, since the agent started. */
  restarts: Type.Optional(Type.Integer()),
  /** Servers: the volumes that the guest has now, or cannot get or let go of, with the reason. */
  volumes: Type.Optional(
    Type.Array(
      Type.Object({
        id: Type.String(),
        attached: Type.Boolean(),
        error: Type.Union([Type.Null(), Type.String()]),
      }),
    ),
  ),
  /** Servers: the ports that the guest cannot get now, with the reason. */
  ports: Type.Optional(Type.Array(Type.Object({ id: Type.String(), error: Type.String() }))),
  /** Volumes only, GiB. */
  sizeGib: Type.Optional(Type.Integer()),
  revertCount: Type.Optional(Type.Integer()),
});
export type Report = Omit<Static<typeof Report>, 'kind'> & { kind: ItemKind };

/** What a host measures of a guest that runs, since it runs. */
export type GuestFigures = {
  uptimeS: number | null;
  /** MiB; `usedMib`: what the guest's process has of the host's memory. */
  memory: { maximumMib: number; usedMib: number | null };
  cpus: { id: number; timeNs: number | null }[];
  /** As the guest sees it: rx is what it received. */
  nics: {
    mac: string;
    rxOctets: number;
    rxPackets: number;
    rxErrors: number;
    rxDrop: number;
    txOctets: number;
    txPackets: number;
    txErrors: number;
    txDrop: number;
  }[];
  disks: {
    readBytes: number;
    /** null: not counted. */
    readRequests: number | null;
    writeBytes: number;
    writeRequests: number | null;
    errors: number | null;
  }[];
};

/** The screen of a VM (RFB), the serial line of a VM, or a shell of its own in a container. */
export type ConsoleKind = 'vnc' | 'serial' | 'shell';

/**
 * An open console. `bytes` ends where the guest or the shell ends, and is destroyed with a HOST_ERROR where the host
 * ends it; whoever destroys it closes the console, and the shell with it.
 */
export type HostConsole = {
  bytes: Duplex;
  /** The size of the user's window, in characters; of no effect where the console has no size. */
  resize(columns: number, rows: number): void;
};

/**
 * The name of an error whose message a host means for users. Whatever else a query rejects with is a defect of the
 * host's program.
 */
export const HOST_ERROR = 'DriverError';

/** Questions that control asks a host; each answers with plain data, or rejects as HOST_ERROR says. */
export type HostQueries = {
  /** The last `lines` lines of the guest's console (null: all that is kept, at most 1 MiB). */
  consoleLog(serverId: string, lines: number | null): Promise<string>;
  /**
   * Opens a console of a guest that runs. A serial line has one user: whoever opens it takes it over. Hosts without a
   * kind do not name it among the guest's capabilities.
   */
  openConsole?(serverId: string, kind: ConsoleKind): Promise<HostConsole>;
  /** null: the guest does not run, or its driver measures nothing. */
  figures?(serverId: string): Promise<GuestFigures | null>;
  /** What `uptime` says on the host: the time, for how long it is up, users and load. */
  uptime?(): Promise<string>;
  /** Sends the guest a non-maskable interrupt. Hosts without it name no 'nmi' among the guest's capabilities. */
  interruptServer?(serverId: string): Promise<void>;
  /** The root disk of a server as it is now, as a qcow2 of its own. Hosts without it name no 'snapshot' among the guest's capabilities. */
  exportServer?(serverId: string): Promise<Readable>;
  /** The whole content of a volume or snapshot as a disk image, streamed. Nobody writes to it meanwhile. */
  exportVolume?(kind: 'volume' | 'snapshot', id: string, format: 'raw' | 'qcow2'): Promise<Readable>;
  /** The same as a sparse stream (kernel/sparse.ts). */
  readVolume?(kind: 'volume' | 'snapshot', id: string): Promise<Readable>;
  /** Makes a sparse stream the whole content of a volume that nobody uses; once per `token`, all or nothing. */
  replaceVolume?(id: string, token: string, content: AsyncIterable<Buffer>): Promise<void>;
};

/** Milliseconds between two signs of life. */
export const HEARTBEAT_MS = 20_000;

export type Pull = {
  /** Hand this back at the next pull. */
  revision: number;
  items: Item[];
  /** true: `items` is the host's whole desired state; whatever it does not name must go. */
  full: boolean;
};

export type Link = {
  /** Idempotent; answers the host's id, the same for the same hostname, and a number below those of this agent's reports. */
  register(facts: HostFacts, queries: HostQueries): Promise<{ hostId: string; sequence: number }>;
  /** Items newer than `since` (0: the full set). Returns at once. */
  pull(hostId: string, since: number): Promise<Pull>;
  /** `sequence` grows with each call: what arrives behind a later one is not heard. Absent: in order by itself. */
  report(hostId: string, reports: Report[], sequence?: number): Promise<void>;
  /** A sign of life, every HEARTBEAT_MS; a host that stays silent counts as down. */
  heartbeat(hostId: string): Promise<void>;
  /** What a guest of this host told the metadata service as its sealed password; false: it has one already, or is not there. */
  guestPassword(hostId: string, serverId: string, sealed: string): Promise<boolean>;
  /** The content of an image, streamed. */
  image(imageId: string): Promise<Readable>;
  /** Called whenever there may be something to pull; returns the unsubscribe function. */
  onWake(hostId: string, wake: () => void): () => void;
};
