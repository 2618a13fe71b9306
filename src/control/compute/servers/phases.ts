// A resize and a shelving take more than one step of the host. The server's row says in which phase it is and keeps
// what is needed to finish or to undo it, so that a crash anywhere only means that the phase goes on.
import type { FlavorCopy, Power, ServerRow } from './table.ts';

export type Phase =
  /** The host keeps the root as it is and makes it fit the new flavor. */
  | 'resizing'
  /** Its user decides. Both flavors are claimed. */
  | 'resized'
  /** The host forgets the old root. */
  | 'confirming'
  /** The host puts the old root back, asked to or because it failed. */
  | 'reverting'
  /** The guest stops, and an image is made of its root. */
  | 'shelving'
  | 'shelved'
  /** The host removes the guest. */
  | 'offloading'
  /** On no host: image, volumes, ports and quota are what is left. */
  | 'offloaded'
  /** The guest is made anew, of the image. */
  | 'unshelving';

export type ResizeFacts = {
  /** uuid of its row in server_migrations; holds the claim of the flavor that is not the server's. */
  migration: string;
  /** The other of the two flavors: the old one, or once it is reverted the new one. */
  flavorId: string;
  flavor: FlavorCopy;
  properties: Record<string, string>;
  /** Before it began. */
  power: Power;
  /** Why the host could not do it; null: it could, or it is not known yet. */
  failed: string | null;
};

export type ShelveFacts = {
  /** null: the server boots from a volume, which is kept as it is. */
  imageId: string | null;
  /** Before it began. */
  power: Power;
  /** GiB that it had claimed of its host's disk; null: not given back yet. */
  diskGib: number | null;
};

type Phased = Pick<ServerRow, 'phase' | 'phase_facts'>;

export const isResize = (row: Pick<ServerRow, 'phase'>): boolean =>
  row.phase === 'resizing' ||
  row.phase === 'resized' ||
  row.phase === 'confirming' ||
  row.phase === 'reverting';

/** null: it is in no resize. */
export const resizeFactsOf = (row: Phased): ResizeFacts | null =>
  isResize(row) && row.phase_facts !== null ? (JSON.parse(row.phase_facts) as ResizeFacts) : null;

/** null: it is not shelved, nor on the way there or back. */
export const shelveFactsOf = (row: Phased): ShelveFacts | null =>
  row.phase !== null && !isResize(row) && row.phase_facts !== null
    ? (JSON.parse(row.phase_facts) as ShelveFacts)
    : null;

/** What the server counts against the quota: in a resize the larger of both flavors. */
export function quotaOf(row: Phased & Pick<ServerRow, 'flavor'>): { cores: number; ram: number } {
  const own = JSON.parse(row.flavor) as FlavorCopy;
  const other = resizeFactsOf(row)?.flavor ?? own;
  return { cores: Math.max(own.vcpus, other.vcpus), ram: Math.max(own.memoryMib, other.memoryMib) };
}

/** Everything that was asked of the host has been tried. */
export const isSettled = (
  row: Pick<
    ServerRow,
    'observed_version' | 'desired_version' | 'compiled_version' | 'observed_generation' | 'item_generation'
  >,
): boolean =>
  row.compiled_version >= row.desired_version &&
  row.observed_version >= row.desired_version &&
  row.observed_generation >= row.item_generation;
