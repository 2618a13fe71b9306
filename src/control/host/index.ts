// Hosts, as the other services see them: the desired state compiled for them, what they report, and the
// link that an agent speaks. It has no API routes of its own; compute and placement show hosts to users.
import type { Readable } from 'node:stream';
import type { Tx } from '../../kernel/db/index.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { ItemKind } from '../../protocol/items.ts';
import type { HostQueries, Link, Report } from '../../protocol/link.ts';
import { createAnnouncer } from './announce.ts';
import { createItems, type Items } from './items.ts';
import { createLink } from './link.ts';

export { claimOnHost, hostById, hostsSince, releaseOnHost } from './capacity.ts';
export {
  compiledItems,
  enabledHosts,
  hostnames,
  reportedSomewhere,
  wantedItems,
  wantedOn,
} from './desired.ts';
export { hostMigrations } from './table.ts';
export {
  hostFacts,
  hostSigns,
  listHosts,
  setHostEnabled,
  setHostForcedDown,
  setHostZone,
  zoneExists,
  type HostRecord,
} from './inventory.ts';
export type { Items } from './items.ts';

/** A report as its service gets it: which host said it. */
export type HostReport = Report & { hostId: string };

/** Called in the transaction that records the reports. `gone` reports come once per host and item. */
export type ReportHandler = (tx: Tx, reports: HostReport[]) => Promise<void>;

export type HostService = {
  items: Items;
  link: Link;
  /** Asks a host that is connected to this process; null: it is not. */
  queries(hostId: string): HostQueries | null;
  /** Registers who handles reports of a kind; once per kind, at start. */
  onReports(kind: ItemKind, handler: ReportHandler): void;
  /** Registers who keeps what guests tell as their sealed password; once, at start. */
  onGuestPassword(handler: Link['guestPassword']): void;
  /** Called after a host registered or came back, in its own transaction. */
  onHost(handler: (tx: Tx, hostId: string) => Promise<void>): void;
};

/** A host that has not been heard of for this long counts as down, in milliseconds. */
export const HOST_DOWN_MS = 60_000;

export function createHostService(
  platform: Platform,
  deps: { openImage(imageId: string): Promise<Readable> },
): HostService {
  const wakes = new Map<string, Set<() => void>>();
  const wake = createAnnouncer(platform.clock, (hostIds) => {
    for (const hostId of hostIds) for (const one of wakes.get(hostId) ?? []) one();
  });
  platform.db.onNotify(() => wake([...wakes.keys()]));
  const reportHandlers = new Map<ItemKind, ReportHandler>();
  const hostHandlers: ((tx: Tx, hostId: string) => Promise<void>)[] = [];
  const queries = new Map<string, HostQueries>();
  let guestPassword: Link['guestPassword'] = async () => false;
  return {
    items: createItems(wake),
    link: createLink({
      platform,
      wakes,
      queries,
      reportHandlers,
      hostHandlers,
      openImage: deps.openImage,
      guestPassword: (...said) => guestPassword(...said),
    }),
    queries: (hostId) => queries.get(hostId) ?? null,
    onReports: (kind, handler) => void reportHandlers.set(kind, handler),
    onGuestPassword: (handler) => void (guestPassword = handler),
    onHost: (handler) => void hostHandlers.push(handler),
  };
}
