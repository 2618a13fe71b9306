// Keeps the few regions of a stream that inspection needs (head, tail, and those a format asks for on the way), so
// that an image of any size is inspected while it passes, in bounded memory.

export const HEAD_BYTES = 64 * 1024;
/** A VMDK footer is three sectors, a VHD or DMG trailer one. */
export const TAIL_BYTES = 1536;
const MAX_REGION_BYTES = 1024 * 1024;
const MAX_REGIONS = 8;

export type Region = { name: string; offset: number; length: number };

export type Captured = {
  /** Bytes of the whole content; while it is still passing, of what has passed. */
  size: number;
  /** The first HEAD_BYTES, fewer if the content is shorter. */
  head: Buffer;
  /** The last TAIL_BYTES; only complete at the end. */
  tail: Buffer;
  /** What has arrived of a region; empty if it was never asked for. */
  region: (name: string) => Buffer;
};

type Slot = Region & { buffer: Buffer; filled: number };

/** `plan` is called each time a region is complete, and may ask for more regions further on. */
export function createCapture(plan: (captured: Captured) => Region[]): {
  write: (chunk: Buffer) => void;
  captured: () => Captured;
} {
  const slots = new Map<string, Slot>();
  let position = 0;
  let tail: Buffer = Buffer.alloc(0);

  const add = (region: Region): void => {
    if (slots.has(region.name) || slots.size >= MAX_REGIONS) return;
    if (!Number.isSafeInteger(region.offset) || region.offset < position) return;
    if (region.length <= 0 || region.length > MAX_REGION_BYTES) return;
    slots.set(region.name, { ...region, buffer: Buffer.alloc(region.length), filled: 0 });
  };
  const region = (name: string): Buffer => {
    const slot = slots.get(name);
    return slot === undefined ? Buffer.alloc(0) : slot.buffer.subarray(0, slot.filled);
  };
  const captured = (): Captured => ({ size: position, head: region('head'), tail, region });

  add({ name: 'head', offset: 0, length: HEAD_BYTES });

  const write = (chunk: Buffer): void => {
    tail = Buffer.concat([
      tail.subarray(Math.max(0, tail.length - Math.max(0, TAIL_BYTES - chunk.length))),
      chunk.subarray(Math.max(0, chunk.length - TAIL_BYTES)),
    ]);
    let rest = chunk;
    while (rest.length > 0) {
      // Stop where the next region ends: what it asks for may begin with the very next byte, however the stream is cut.
      let length = rest.length;
      for (const slot of slots.values()) {
        const left = slot.offset + slot.length - position;
        if (slot.filled < slot.length && left < length) length = left;
      }
      let complete = false;
      for (const slot of slots.values()) {
        const from = Math.max(slot.offset, position);
        const to = Math.min(slot.offset + slot.length, position + length);
        if (from >= to) continue;
        slot.filled += rest.copy(slot.buffer, from - slot.offset, from - position, to - position);
        complete ||= slot.filled === slot.length;
      }
      position += length;
      rest = rest.subarray(length);
      if (complete) for (const wanted of plan(captured())) add(wanted);
    }
  };
  return { write, captured };
}
