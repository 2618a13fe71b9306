// A disk comes out of a sparse stream as it went in, or not at all.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeExtents, encodeExtents, type Extent } from './sparse.ts';

const collect = async (stream: AsyncIterable<Buffer | Uint8Array>): Promise<Extent[]> => {
  const extents: Extent[] = [];
  for await (const extent of decodeExtents(stream)) extents.push(extent);
  return extents;
};

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('a sparse stream', () => {
  it('brings every extent over, however it is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(10_000), fc.uint8Array({ minLength: 1, maxLength: 50 })), { maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        async (parts, step) => {
          let offset = 0;
          const extents = parts.map(([gap, data]): Extent => {
            offset += gap;
            const extent = { offset, data: Buffer.from(data) };
            offset += data.length;
            return extent;
          });
          const chunks: Buffer[] = [];
          const source = (async function* all() {
            yield* extents;
          })();
          for await (const chunk of encodeExtents(source)) chunks.push(chunk as Buffer);
          expect(await collect(pieces(Buffer.concat(chunks), step))).toEqual(extents);
        },
      ),
    );
  });

  it('that is cut off, or is something else, is an error and not a shorter disk', async () => {
    const source = (async function* one() {
      yield { offset: 0, data: Buffer.from('abc') };
    })();
    const chunks: Buffer[] = [];
    for await (const chunk of encodeExtents(source)) chunks.push(chunk as Buffer);
    const whole = Buffer.concat(chunks);
    for (let at = 0; at < whole.length; at += 1)
      await expect(collect(pieces(whole.subarray(0, at), 5)), `cut at ${at}`).rejects.toThrow();
    await expect(collect(pieces(Buffer.alloc(64, 0xff), 8))).rejects.toThrow('not a sparse stream');
  });
});
