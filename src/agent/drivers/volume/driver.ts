// The one contract for whatever keeps volumes: files, the simulation, later Ceph and LVM. The volume and snapshot
// controllers call these verbs; guests get what `hold` answers.
import type { Extent } from '../../../kernel/sparse.ts';

/** One file of a volume's content; the first of a chain is the writable one, each reads through to the next. */
export type VolumeLayer = {
  /** Short, unique on the host, and fit for any name: [a-z][a-z0-9]{1,29}. */
  id: string;
  /** Below the folder that `prepare` answered. */
  path: string;
  format: 'raw' | 'qcow2';
};

/** What a guest needs to open a volume. */
export type HeldVolume = {
  /** From the top, which is written to, down to the base. */
  layers: VolumeLayer[];
  /** Bytes. */
  size: number;
  readOnly: boolean;
};

/** `path` is a verified local copy of the image; the driver keeps what it needs of it. */
export type VolumeSource =
  | { type: 'empty' }
  | { type: 'image'; imageId: string; path: string; format: 'raw' | 'qcow2' }
  | { type: 'volume' | 'snapshot'; id: string };

export type VolumeState = {
  id: string;
  /** GiB. */
  sizeGib: number;
  /** How often it was returned to a snapshot. */
  revertCount: number;
  /** Layers from top to base. */
  depth: number;
  /** The server that may use it now. */
  holder: string | null;
};

export type VolumeCapabilities = {
  driver: string;
  totalGib: number;
  /** 'extend-attached': grows under a running guest. */
  capabilities: string[];
};

/**
 * Every verb is idempotent and safe to repeat after a crash at any await. A new volume reads as zeros, or as what it
 * was made of, and never as what another volume had. Errors are `DriverError`s with a public message.
 */
export type VolumeDriver = {
  readonly name: string;
  /** Throws DriverError when this host cannot keep volumes. */
  probe(): Promise<VolumeCapabilities>;
  /** All that exist, in whatever state. */
  list(): Promise<{ volumes: string[]; snapshots: string[] }>;
  get(id: string): Promise<VolumeState | null>;
  /** In constant time whatever the size. A volume that exists keeps its content. */
  create(id: string, sizeGib: number, source: VolumeSource): Promise<void>;
  /** Never shrinks. */
  extend(id: string, sizeGib: number): Promise<void>;
  remove(id: string): Promise<void>;
  /**
   * In constant time whatever the size. The content is frozen from now on where nobody uses the volume, and from the
   * guest's next `syncVolumes` on where a guest does.
   */
  snapshot(id: string, volumeId: string): Promise<void>;
  removeSnapshot(id: string): Promise<void>;
  /** Makes the content that of the snapshot again; once per `count`. Nobody may use the volume. */
  revert(volumeId: string, snapshotId: string, count: number): Promise<void>;
  /**
   * The folder in which the server's process is to run: it opens what it holds by names below it, so that it needs no
   * right to anything above, and finds there what is plugged later. null: this driver has no files.
   */
  prepare(serverId: string, uid: number): Promise<string | null>;
  /** Ends that; the server's process is gone. */
  forget(serverId: string): Promise<void>;
  /** Lets one server use the volume, as the user id `uid`. Throws DriverError 'failed' while another server does. */
  hold(volumeId: string, serverId: string, uid: number, readOnly: boolean): Promise<HeldVolume>;
  /** The guest writes to this layer of what `hold` answered: what lies below is frozen now. */
  settled(volumeId: string, serverId: string, layerId: string): Promise<void>;
  /** Ends that; the guest has closed it. */
  release(volumeId: string, serverId: string): Promise<void>;
  /** Volumes that a server may use. */
  heldBy(serverId: string): Promise<string[]>;
  /** Writes the whole content to a file that must not exist. */
  exportTo(kind: 'volume' | 'snapshot', id: string, format: 'raw' | 'qcow2', path: string): Promise<void>;
  /** What is written on it, in order; nobody writes to it meanwhile. Bytes that it leaves out are zeros. */
  extents(kind: 'volume' | 'snapshot', id: string): AsyncIterable<Extent>;
  /**
   * Makes these extents the whole content, zeros elsewhere; once per `token`, and all of it or nothing. Nobody may use
   * the volume.
   */
  replace(id: string, token: string, extents: AsyncIterable<Extent>): Promise<void>;
  /** Shortens chains that are too deep; may take long and be cut off. Returns how many it shortened. */
  flatten(): Promise<number>;
  close(): Promise<void>;
};

export const GIB = 1024 ** 3;
