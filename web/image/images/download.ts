// Saves the content of an image as a file. The token goes in a header, so that a plain link cannot do it; where the
// browser lets a page write to a file, the bytes go straight there, else the browser collects them itself.
import { openContent, type Image } from './api.ts';

type Picker = (options: { suggestedName: string }) => Promise<{ createWritable(): Promise<WritableStream> }>;

export const fileNameOf = (
  image: Pick<Image, 'id' | 'name' | 'disk_format' | 'container_format'>,
): string => {
  const name = (image.name ?? '').replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '');
  const ending = image.container_format === 'docker' ? 'tar' : (image.disk_format ?? 'img');
  return `${name === '' ? image.id : name}${name.endsWith(`.${ending}`) ? '' : `.${ending}`}`;
};

const counted = (onBytes: (bytes: number) => void): TransformStream<Uint8Array, Uint8Array> => {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      onBytes(bytes);
      controller.enqueue(chunk);
    },
  });
};

/** Rejects with AbortError when its user stopped it. */
export async function downloadImage(
  image: Image,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const suggestedName = fileNameOf(image);
  const picker = (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  // Asked for first: the browser allows it only as the answer to a click.
  const file = picker === undefined ? null : await picker({ suggestedName });
  const { body } = await openContent(image.id, signal);
  if (body === null) throw new Error(suggestedName);
  const content = body.pipeThrough(counted(onBytes));
  if (file !== null) {
    await content.pipeTo(await file.createWritable(), { signal });
    return;
  }
  const address = URL.createObjectURL(await new Response(content).blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = suggestedName;
  link.click();
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
