// The last desired state of this host, on disk: what the agent converges to when control is away, also
// after a reboot or a power cut. One file an item, replaced by rename.
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { itemBodies, type Item, type ItemKind } from '../protocol/items.ts';

/** An item as last pulled, and how far it was applied here. */
export type StoredItem = {
  item: Item;
  /** Generation that was last applied; 0: none. */
  applied: number;
  /** The boot of the host in which it was applied: a guest found stopped in another boot is started again. */
  boot: string;
  /** Keys of the items that bodies before this one referred to, as far as this one may not be applied yet: what the host may still use. */
  held?: string[];
  /** It must go, and is not gone yet; `item` is what it was. */
  leaving?: true;
};

export type ItemStore = {
  load(): Promise<StoredItem[]>;
  save(stored: StoredItem): Promise<void>;
  remove(kind: ItemKind, id: string): Promise<void>;
};

export function fileItemStore(dir: string): ItemStore {
  const path = (kind: ItemKind, id: string): string => join(dir, kind, `${id}.json`);
  /** The last operation on each file: they share the name of a temporary file, and the last one asked for counts. */
  const tails = new Map<string, Promise<void>>();
  const inTurn = (file: string, work: () => Promise<void>): Promise<void> => {
    const turn = (tails.get(file) ?? Promise.resolve()).catch(() => {}).then(work);
    tails.set(file, turn);
    const forget = (): void => {
      if (tails.get(file) === turn) tails.delete(file);
    };
    turn.then(forget, forget);
    return turn;
  };
  return {
    async load() {
      const all: StoredItem[] = [];
      for (const kind of Object.keys(itemBodies) as ItemKind[]) {
        await mkdir(join(dir, kind), { recursive: true, mode: 0o700 });
        for (const name of await readdir(join(dir, kind))) {
          const file = join(dir, kind, name);
          // A half-written leftover of a crash; its item comes again with the next pull.
          if (!name.endsWith('.json')) await rm(file, { force: true });
          else
            try {
              all.push(JSON.parse(await readFile(file, 'utf8')) as StoredItem);
            } catch {
              await rm(file, { force: true });
            }
        }
      }
      return all;
    },
    save(stored) {
      const target = path(stored.item.kind, stored.item.id);
      const text = JSON.stringify(stored);
      return inTurn(target, async () => {
        const file = await open(`${target}.tmp`, 'w', 0o600);
        try {
          await file.writeFile(text);
          await file.datasync();
        } finally {
          await file.close();
        }
        await rename(`${target}.tmp`, target);
      });
    },
    remove: (kind, id) => inTurn(path(kind, id), () => rm(path(kind, id), { force: true })),
  };
}

/** For simulated hosts: `held` outlives the simulated process. */
export function memoryItemStore(held: Map<string, StoredItem>): ItemStore {
  return {
    load: async () => [...held.values()],
    async save(stored) {
      held.set(`${stored.item.kind}/${stored.item.id}`, { ...stored });
    },
    async remove(kind, id) {
      held.delete(`${kind}/${id}`);
    },
  };
}
