// What the file driver knows of volumes and snapshots: one JSON file each, written whole or not at all. The records
// are the truth; a layer that no record names is rubbish.
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const Layer = Type.Object({
  id: Type.String({ pattern: '^[a-z][a-z0-9]{1,29}$' }),
  format: Type.Union([Type.Literal('raw'), Type.Literal('qcow2')]),
});
export type Layer = Static<typeof Layer>;
const VolumeRecord = Type.Object({
  sizeGib: Type.Integer(),
  /** Top first; never empty. */
  chain: Type.Array(Layer, { minItems: 1 }),
  revertCount: Type.Integer(),
  /** Layers below the top that the guest of the holder may still write to. */
  writing: Type.Array(Type.String()),
  holder: Type.Union([
    Type.Null(),
    Type.Object({ serverId: Type.String(), uid: Type.Integer(), readOnly: Type.Boolean() }),
  ]),
  /** Token of the last replacement of its content. */
  replaced: Type.Optional(Type.String()),
});
export type VolumeRecord = Static<typeof VolumeRecord>;
const SnapshotRecord = Type.Object({
  volumeId: Type.String(),
  sizeGib: Type.Integer(),
  chain: Type.Array(Layer, { minItems: 1 }),
});
export type SnapshotRecord = Static<typeof SnapshotRecord>;

const checks = { volume: Compile(VolumeRecord), snapshot: Compile(SnapshotRecord) };
type Records = { volume: VolumeRecord; snapshot: SnapshotRecord };
export type RecordKind = keyof Records;

/** Ids become file names; the same rule as in protocol/items.ts. */
const idRule = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export type RecordStore = {
  load(): Promise<void>;
  get<K extends RecordKind>(kind: K, id: string): Records[K] | null;
  all<K extends RecordKind>(kind: K): [string, Records[K]][];
  put<K extends RecordKind>(kind: K, id: string, record: Records[K]): Promise<void>;
  remove(kind: RecordKind, id: string): Promise<void>;
};

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function createRecords(dir: string): RecordStore {
  const held: { [K in RecordKind]: Map<string, Records[K]> } = { volume: new Map(), snapshot: new Map() };
  const folder = (kind: RecordKind): string => join(dir, `${kind}s`);
  const file = (kind: RecordKind, id: string): string => {
    if (!idRule.test(id)) throw new Error(`not an id: ${JSON.stringify(id)}`);
    return join(folder(kind), `${id}.json`);
  };
  return {
    async load() {
      for (const kind of ['volume', 'snapshot'] as const) {
        await mkdir(folder(kind), { recursive: true, mode: 0o700 });
        for (const name of await readdir(folder(kind))) {
          if (!name.endsWith('.json')) {
            await rm(join(folder(kind), name), { force: true });
            continue;
          }
          const value: unknown = JSON.parse(await readFile(join(folder(kind), name), 'utf8'));
          if (!checks[kind].Check(value)) throw new Error(`${join(folder(kind), name)} is damaged`);
          (held[kind] as Map<string, unknown>).set(name.slice(0, -'.json'.length), value);
        }
      }
    },
    get: (kind, id) => held[kind].get(id) ?? null,
    all: (kind) => [...held[kind]],
    async put(kind, id, record) {
      const target = file(kind, id);
      const handle = await open(`${target}.new`, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify(record));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(`${target}.new`, target);
      await syncFolder(folder(kind));
      (held[kind] as Map<string, typeof record>).set(id, record);
    },
    async remove(kind, id) {
      await rm(file(kind, id), { force: true });
      await syncFolder(folder(kind));
      held[kind].delete(id);
    },
  };
}
