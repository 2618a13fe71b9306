// The content of a disk as a stream of what is written on it: zeros that nobody wrote cost nothing on the way.
// Each extent is a header (offset and length, 64 bits each, big endian) and its bytes; the end is a header without
// bytes, so that a stream that was cut off is told from one that ended.
import { Readable } from 'node:stream';

/** Bytes at an offset of a disk; extents come in the order of their offsets and do not overlap. */
export type Extent = { offset: number; data: Buffer };

const HEADER = 16;
/** A stream asks for no more than this at once, whatever its header says. */
const MAX_EXTENT = 16 * 1024 * 1024;

function header(offset: number, length: number): Buffer {
  const out = Buffer.alloc(HEADER);
  out.writeBigUInt64BE(BigInt(offset), 0);
  out.writeBigUInt64BE(BigInt(length), 8);
  return out;
}

export function encodeExtents(extents: AsyncIterable<Extent>): Readable {
  return Readable.from(
    (async function* frames() {
      let end = 0;
      for await (const { offset, data } of extents) {
        if (data.length === 0) continue;
        yield header(offset, data.length);
        yield data;
        end = offset + data.length;
      }
      yield header(end, 0);
    })(),
    { objectMode: false },
  );
}

/** Throws when the stream ends before its end, or is not one. */
export async function* decodeExtents(stream: AsyncIterable<Buffer | Uint8Array>): AsyncGenerator<Extent> {
  let held = Buffer.alloc(0);
  let wanted = HEADER;
  let at: number | null = null;
  let last = 0;
  for await (const piece of stream) {
    held = held.length === 0 ? Buffer.from(piece) : Buffer.concat([held, piece]);
    while (held.length >= wanted) {
      const taken = held.subarray(0, wanted);
      held = held.subarray(wanted);
      if (at !== null) {
        yield { offset: at, data: taken };
        last = at + taken.length;
        at = null;
        wanted = HEADER;
        continue;
      }
      const offset = Number(taken.readBigUInt64BE(0));
      const length = Number(taken.readBigUInt64BE(8));
      if (!Number.isSafeInteger(offset) || offset < last || length > MAX_EXTENT)
        throw new Error(`not a sparse stream: ${length} bytes at ${offset}`);
      if (length === 0) return;
      at = offset;
      wanted = length;
    }
  }
  throw new Error('the stream ended before the end of the disk');
}
