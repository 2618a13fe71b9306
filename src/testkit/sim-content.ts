// Image contents of a simulated cloud: in memory, so that no real disk decides when something happens.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { ContentError, type ContentStore } from '../control/image/content/store.ts';

/** Outlives the processes of its world, as a disk does. */
export function memoryContents(): ContentStore {
  const contents = new Map<string, Buffer>();
  return {
    path: (id) => `/simulated/${id}`,
    async put(id, stream, { onChunk }) {
      const chunks: Buffer[] = [];
      for await (const piece of stream) {
        const chunk = Buffer.from(piece);
        await onChunk?.(chunk);
        chunks.push(chunk);
      }
      const content = Buffer.concat(chunks);
      contents.set(id, content);
      const digest = (name: string): string => createHash(name).update(content).digest('hex');
      return { size: content.length, md5: digest('md5'), sha512: digest('sha512') };
    },
    async open(id) {
      const content = contents.get(id);
      if (content === undefined) throw new ContentError('not-found', `there is no content for ${id}`);
      return { stream: Readable.from([content]), size: content.length };
    },
    delete: async (id) => void contents.delete(id),
    parts: async () => [],
    dropParts: async () => {},
    list: async () =>
      [...contents].map(([id, content]) => ({ id, size: content.length, modifiedAt: new Date(0) })),
  };
}
