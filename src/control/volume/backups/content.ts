// The content of a backup: chunks of the disk by their sha256, packed into objects, and a manifest that says where
// each lies. An incremental backup writes the chunks that changed and refers to the objects of the earlier ones for
// the rest, so that one manifest is enough to restore it. Chunks of zeros are nowhere.
import { createHash } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Extent } from '../../../kernel/sparse.ts';
import { isContainer, isKey, type BackupObjects } from './objects.ts';

/** Bytes that are compared and kept as one. */
export const CHUNK = 1024 * 1024;
/** Chunks an object. */
const PACKED = 16;

/** index of the chunk, sha256, source (an index of `sources`), number of the object, position of the chunk in it. */
const Entry = Type.Tuple([
  Type.Integer({ minimum: 0 }),
  Type.String({ pattern: '^[0-9a-f]{64}$' }),
  Type.Integer({ minimum: 0 }),
  Type.Integer({ minimum: 1 }),
  Type.Integer({ minimum: 0 }),
]);
const Manifest = Type.Object({
  version: Type.Literal(1),
  /** Bytes. */
  chunk: Type.Literal(CHUNK),
  sizeGib: Type.Integer({ minimum: 1 }),
  /** This backup first, then those whose objects it refers to. */
  sources: Type.Array(
    Type.Object({ container: Type.String({ maxLength: 128 }), prefix: Type.String({ maxLength: 512 }) }),
    { minItems: 1 },
  ),
  entries: Type.Array(Entry),
});
export type Manifest = Static<typeof Manifest>;
const manifestCheck = Compile(Manifest);

export type Place = { container: string; prefix: string };

const objectKey = (prefix: string, number: number): string => `${prefix}-${String(number).padStart(5, '0')}`;
const manifestKey = (prefix: string): string => `${prefix}_metadata`;
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const zeros = Buffer.alloc(CHUNK);

/** Whole chunks of what the extents say; those of zeros are left out. */
export async function* chunksOf(
  extents: AsyncIterable<Extent>,
): AsyncGenerator<{ index: number; data: Buffer }> {
  let open: { index: number; data: Buffer } | null = null;
  for await (const extent of extents) {
    for (let at = 0; at < extent.data.length;) {
      const position = extent.offset + at;
      const index = Math.floor(position / CHUNK);
      if (open !== null && open.index !== index) {
        if (!open.data.equals(zeros)) yield open;
        open = null;
      }
      open ??= { index, data: Buffer.alloc(CHUNK) };
      const inside = position - index * CHUNK;
      const length = Math.min(CHUNK - inside, extent.data.length - at);
      extent.data.copy(open.data, inside, at, at + length);
      at += length;
    }
  }
  if (open !== null && !open.data.equals(zeros)) yield open;
}

/**
 * Writes a backup; what an earlier attempt wrote is overwritten or removed. `written` is called after each object, and
 * may throw to end it. Returns the checksum of the manifest, which is what makes it a backup.
 */
export async function writeBackup(
  objects: BackupObjects,
  place: Place,
  sizeGib: number,
  extents: AsyncIterable<Extent>,
  parent: Manifest | null,
  written: (count: number) => Promise<void>,
): Promise<{ sha256: string; objectCount: number }> {
  await objects.removeAll(place.container, place.prefix);
  const before = new Map((parent?.entries ?? []).map((entry) => [entry[0], entry]));
  const entries: Manifest['entries'] = [];
  let packed: Buffer[] = [];
  let number = 1;
  const flush = async (): Promise<void> => {
    if (packed.length === 0) return;
    await objects.put(place.container, objectKey(place.prefix, number), Buffer.concat(packed));
    packed = [];
    number += 1;
    await written(number - 1);
  };
  for await (const { index, data } of chunksOf(extents)) {
    const digest = sha256(data);
    const known = before.get(index);
    if (known?.[1] === digest) {
      entries.push([index, digest, known[2] + 1, known[3], known[4]]);
      continue;
    }
    entries.push([index, digest, 0, number, packed.length]);
    packed.push(data);
    if (packed.length === PACKED) await flush();
  }
  await flush();
  const manifest: Manifest = {
    version: 1,
    chunk: CHUNK,
    sizeGib,
    sources: [place, ...(parent?.sources ?? [])],
    entries,
  };
  const text = Buffer.from(JSON.stringify(manifest));
  await objects.put(place.container, manifestKey(place.prefix), text);
  return { sha256: sha256(text), objectCount: number - 1 };
}

/** null: there is none, or not the one that is meant. */
export async function readManifest(
  objects: BackupObjects,
  place: Place,
  digest: string,
): Promise<Manifest | null> {
  const text = await objects.get(place.container, manifestKey(place.prefix));
  if (text === null || sha256(text) !== digest) return null;
  const parsed: unknown = JSON.parse(text.toString());
  if (!manifestCheck.Check(parsed)) return null;
  const fits = parsed.entries.every((entry) => entry[2] < parsed.sources.length);
  const named = parsed.sources.every((one) => isContainer(one.container) && isKey(one.prefix));
  return fits && named ? parsed : null;
}

/** The disk again. Throws at the first chunk that is not what it was. */
export async function* restoredExtents(objects: BackupObjects, manifest: Manifest): AsyncGenerator<Extent> {
  let held: { key: string; content: Buffer } = { key: '', content: zeros };
  for (const [index, digest, source, number, position] of manifest.entries) {
    const place = manifest.sources[source];
    if (place === undefined) throw new Error('the manifest names a source that it does not have');
    const key = `${place.container} ${objectKey(place.prefix, number)}`;
    if (held.key !== key) {
      const content = await objects.get(place.container, objectKey(place.prefix, number));
      if (content === null) throw new Error(`object ${key} is gone`);
      held = { key, content };
    }
    const data = held.content.subarray(position * CHUNK, (position + 1) * CHUNK);
    if (sha256(data) !== digest)
      throw new Error(`object ${key} is damaged: chunk ${index} is not what it was`);
    yield { offset: index * CHUNK, data };
  }
}
