// What a controller is: it owns one kind of item and makes the host match it. It is handed an id's desired
// item, compares with the kernel's truth through its driver, and answers what it observed.
import type { Item, ItemKind, ItemOf } from '../protocol/items.ts';
import type { Report } from '../protocol/link.ts';
import type { StoredItem } from './item-store.ts';

export type Key = `${ItemKind}/${string}`;
export const keyOf = (kind: ItemKind, id: string): Key => `${kind}/${id}`;

/** Thrown when something else has to be there (or gone) first; the item is tried again when that has converged. */
export class Waiting extends Error {
  readonly on: Key;
  constructor(on: Key) {
    super(`waiting for ${on}`);
    this.name = 'Waiting';
    this.on = on;
  }
}

export type Observed = Pick<
  Report,
  | 'power'
  | 'rebootCount'
  | 'rebuildCount'
  | 'rescued'
  | 'resizeCount'
  | 'restarts'
  | 'volumes'
  | 'ports'
  | 'sizeGib'
  | 'revertCount'
>;

/** What controllers may know of the other items of this host. */
export type HostState = {
  /** The desired item; undefined: none. */
  desired<K extends ItemKind>(kind: K, id: string): ItemOf<K> | undefined;
  /** True once the item is applied at the desired generation or an earlier one. */
  isPresent(kind: ItemKind, id: string): boolean;
  /** Keys of present or desired items whose desired or last applied body refers to this one. */
  usersOf(kind: ItemKind, id: string): Key[];
  stored(kind: ItemKind, id: string): StoredItem | undefined;
  /** Of the running boot. */
  boot: string;
};

export type Controller<K extends ItemKind> = {
  kind: K;
  /** Items that have to be present before this one. */
  needs(item: ItemOf<K>): Key[];
  /** Makes the host match. Idempotent; safe to repeat after a crash at any await. */
  ensure(item: ItemOf<K>, host: HostState): Promise<Observed>;
  /** Removes it; nothing is left when this returns. */
  remove(id: string): Promise<void>;
  /** Ids that exist on the host, wanted or not. */
  observe(): Promise<string[]>;
  /** Driver wake-ups: call back with ids to look at again. */
  watch(changed: (id: string) => void): () => void;
};

export type AnyController = {
  [K in ItemKind]: Controller<K>;
}[ItemKind];

/** References of a body to other items of the host. */
export function referencesOf(item: Item): Key[] {
  if (item.body === null) return [];
  switch (item.kind) {
    case 'port':
      return [
        keyOf('network', item.body.networkId),
        ...(item.body.portSecurity
          ? item.body.securityGroupIds.map((id) => keyOf('security-group', id))
          : []),
      ];
    case 'security-group':
      return item.body.rules.flatMap((rule) =>
        rule.remoteGroupId === null ? [] : [keyOf('address-group', rule.remoteGroupId)],
      );
    case 'router':
      return [
        ...item.body.interfaces.map((one) => keyOf('network', one.networkId)),
        ...(item.body.gateway === null ? [] : [keyOf('network', item.body.gateway.networkId)]),
      ];
    case 'server':
      return [
        ...item.body.ports.map((port) => keyOf('port', port.portId)),
        ...item.body.volumes.map((volume) => keyOf('volume', volume.volumeId)),
      ];
    case 'volume':
      // Not what it returns to: that refers to it.
      return item.body.source === null || item.body.source.type === 'image'
        ? []
        : [keyOf(item.body.source.type, item.body.source.id)];
    case 'snapshot':
      return [keyOf('volume', item.body.volumeId)];
    default:
      return [];
  }
}
