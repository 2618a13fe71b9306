// The one contract for whatever runs a server: QEMU, podman, or the simulation. The server controller
// diffs desired against `list()`, the kernel's own truth, and calls these verbs.
import type { IoLimits, ServerBody } from '../../../protocol/items.ts';
import type { ConsoleKind, GuestFigures, HostConsole } from '../../../protocol/link.ts';
import type { ConfigFile } from './config-drive.ts';
import type { HeldVolume } from '../volume/driver.ts';

export type GuestType = ServerBody['type'];
export type GuestPower = 'running' | 'stopped' | 'paused' | 'suspended' | 'crashed';

export type GuestState = {
  id: string;
  power: GuestPower;
  /** The process or container of this incarnation; changes with each start. Used to prove that a guest was not disturbed. */
  incarnation: string | null;
  /** The value handed to the last `define`, kept with the guest so that it survives the agent. */
  rebootCount: number;
  /** The value of the spec that the present root was made with. */
  rebuildCount: number;
  /** The value of the spec of the last resize or revert. */
  resizeCount: number;
  /** The root as it was before that resize is kept. */
  hasOriginal: boolean;
};

/** How the network driver plugged one of the guest's ports. */
export type PluggedPort = {
  portId: string;
  mac: string;
  /** Bytes. */
  mtu: number;
} & (
  | { plug: 'tap'; device: string; netns: string } // a persistent tap, in this named namespace
  | { plug: 'netns'; netns: string } // the guest's prepared namespace, the same for all its ports
);

/** A volume that is held for this guest. */
export type GuestVolume = HeldVolume & {
  volumeId: string;
  device: string;
  boot: boolean;
  /** Applied as soon as the guest has it, and whenever they change; absent or {}: none. */
  limits?: IoLimits;
};

/** A volume of a guest, as it is: `error` says why the guest does not have it, or does not let go of it. */
export type VolumeOutcome = { id: string; attached: boolean; error: string | null };

export type PortsOutcome = {
  /** Ports that the guest could not be given, with the reason; it has them from its next start on. */
  failed: { id: string; error: string }[];
  /** Something is not as it should be yet: call again soon. */
  again: boolean;
};

export type GuestSpec = {
  id: string;
  body: ServerBody;
  ports: PluggedPort[];
  /** Verified local copy of the image content: a file, never modified. null: the server boots from a volume. */
  imagePath: string | null;
  /** Verified local copy of the image that its body wants to be rescued with; absent: none. */
  rescueImagePath?: string | null;
  /** What its config drive holds, as of now; absent: it has none. */
  configDrive?: readonly ConfigFile[] | null;
  /** What it may use of its volumes, in the order of its body; those that cannot be had now are left out. */
  volumes: GuestVolume[];
  /** Where its process runs, so that it can open them; null: anywhere. */
  folder?: string | null;
};

export type GuestCapabilities = {
  type: GuestType;
  driver: string;
  hypervisorType: string;
  hypervisorVersion: number;
  capabilities: string[];
};

/**
 * Every verb is idempotent and safe to repeat after a crash at any await. Guests never are children of
 * this process: they outlive it. Errors are `DriverError`s with a public message.
 */
export type GuestDriver = {
  readonly type: GuestType;
  /** Probes what really works here (boots a probe guest where needed). Throws DriverError when this host cannot run such guests. */
  probe(): Promise<GuestCapabilities>;
  /** All guests of this data dir that exist in any form, re-adopted from the kernel's truth. */
  list(): Promise<GuestState[]>;
  /** One guest; null: nothing of it exists. */
  get(id: string): Promise<GuestState | null>;
  /** Creates disk and definition, stopped; an existing guest is redefined (new name, ports, counter) without touching its disk or its run. */
  define(spec: GuestSpec): Promise<void>;
  /** Starts a stopped, crashed or suspended guest. Its ports are plugged before this is called. */
  start(spec: GuestSpec): Promise<void>;
  /** Asks the guest to power off and, after graceMs, cuts its power. graceMs 0: at once. */
  stop(id: string, graceMs: number): Promise<void>;
  reboot(spec: GuestSpec, hard: boolean): Promise<void>;
  /** Ends the guest and makes its root anew of the spec's image; leaves it stopped. Its volumes stay as they are. */
  rebuild(spec: GuestSpec): Promise<void>;
  /** Ends the guest, keeps its root as it is and gives it the spec's hardware on a root that is as large as the spec says; leaves it stopped. */
  resize(spec: GuestSpec): Promise<void>;
  /** Ends the guest and gives it the spec's hardware on the root that was kept, where one was; leaves it stopped. */
  revertResize(spec: GuestSpec): Promise<void>;
  /** Forgets the root that was kept; the guest runs on. */
  confirmResize(id: string): Promise<void>;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  /** Saves memory to disk and stops. Drivers without it leave 'suspend' out of their capabilities. */
  suspend(id: string): Promise<void>;
  /** Removes the guest and everything of it: processes, disks, logs, cgroups. */
  destroy(id: string): Promise<void>;
  /**
   * Writes the root as it is at one moment to `path`, a qcow2 that needs no other file; the guest runs on. The spec's
   * image is the one that the root was made of. Present where 'snapshot' is among the capabilities.
   */
  exportRoot?(spec: GuestSpec, path: string): Promise<void>;
  /** Sends the guest a non-maskable interrupt. Present where 'nmi' is among the capabilities. */
  interrupt?(id: string): Promise<void>;
  consoleLog(id: string, lines: number | null): Promise<string>;
  /**
   * Opens a console of a guest that runs; it ends with the guest's process. A serial line has one user: whoever opens
   * it takes it over. Present where 'vnc', 'serial' or 'shell' is among the capabilities.
   */
  openConsole?(id: string, kind: ConsoleKind): Promise<HostConsole>;
  /** Figures of a guest that runs; null: it does not. */
  figures(id: string): Promise<GuestFigures | null>;
  /**
   * Makes the volumes of a guest those of the spec: plugs, unplugs, follows them to new layers and sizes. One that
   * the guest does not take or let go of never stops the others. Present where 'volumes' is among the capabilities.
   */
  syncVolumes?(spec: GuestSpec): Promise<VolumeOutcome[]>;
  /** Closes what a guest that does not run any more still has open. Absent where its own process had it open. */
  closeVolumes?(id: string): Promise<void>;
  /**
   * Makes the interfaces of a guest that runs those of the spec. When it returns, the guest has no access to ports that
   * the spec does not name. Absent where what plugs a port has given it to the guest already.
   */
  syncPorts?(spec: GuestSpec): Promise<PortsOutcome>;
  /** Calls back when a guest's state may have changed by itself; only a wake-up, the state is re-read. */
  watch(changed: (id: string) => void): () => void;
  /** Releases sockets and timers of this process; guests run on. */
  close(): Promise<void>;
};
