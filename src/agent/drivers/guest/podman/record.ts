// What this driver keeps beside each container: one small file in the guest's folder.
import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { DriverError } from '../../errors.ts';
import { readText, writeWhole, type Place } from './place.ts';

/** Written before the step that it describes, so that a crash in between loses nothing. */
export const GuestRecord = Type.Object({
  rebootCount: Type.Integer({ minimum: 0 }),
  /** Absent in records of before there were rebuilds. */
  rebuildCount: Type.Optional(Type.Integer({ minimum: 0 })),
  imageId: Type.String(),
  /** Absent in records of before there were resizes. */
  resizeCount: Type.Optional(Type.Integer({ minimum: 0 })),
  /** podman's id of the local image that the container is made of in place of the server's; null: of that. */
  root: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  /** The root before the last resize, while that may be reverted. */
  original: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  /** Every local image that was made of this guest's root. */
  roots: Type.Optional(Type.Array(Type.String())),
  /** Name in /run/netns; null: the guest has no port. */
  netns: Type.Union([Type.String(), Type.Null()]),
  /** Made with the filter of system calls that volumes need; absent in records of before there were volumes. */
  sealed: Type.Optional(Type.Boolean()),
  /** We asked it to end: how it exits says nothing then. */
  stopping: Type.Boolean(),
});
export type GuestRecord = Static<typeof GuestRecord>;
const recordSchema = Compile(GuestRecord);

export const guestIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function guestFolder(place: Place, id: string): string {
  if (guestIdPattern.test(id)) return join(place.guests, id);
  throw new DriverError('refused', `server id '${id.slice(0, 200)}' must match ${guestIdPattern.source}`);
}

export type GuestRecords = {
  read(id: string): Promise<GuestRecord | null>;
  /** Replaces the record; `change` answers null to leave it. Changes of one guest never overlap. */
  update(id: string, change: (record: GuestRecord | null) => GuestRecord | null): Promise<void>;
  /** Sets fields of a record that exists. */
  set(id: string, fields: Partial<GuestRecord>): Promise<void>;
};

export function createGuestRecords(place: Place): GuestRecords {
  const inTurn = createTurns();
  const file = (id: string): string => join(guestFolder(place, id), 'guest.json');
  const read = async (id: string): Promise<GuestRecord | null> => {
    const text = await readText(file(id));
    const parsed: unknown = text === null ? null : JSON.parse(text);
    return recordSchema.Check(parsed) ? parsed : null;
  };
  const update: GuestRecords['update'] = (id, change) =>
    inTurn(id, async () => {
      const record = change(await read(id));
      if (record !== null) await writeWhole(file(id), JSON.stringify(record));
    });
  return {
    read,
    update,
    set: (id, fields) => update(id, (record) => (record === null ? null : { ...record, ...fields })),
  };
}

/** Runs work of one key in the order of the calls, never two at once; different keys do not wait for each other. */
export function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
    const tail = mine
      .catch(() => {})
      .finally(() => {
        if (last.get(key) === tail) last.delete(key);
      });
    last.set(key, tail);
    return mine;
  };
}
