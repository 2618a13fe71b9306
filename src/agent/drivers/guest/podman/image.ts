// Brings a server image (a `docker save` or OCI archive) into podman's storage, once, and finds it again by
// podman's own id: the names inside an archive come from a tenant and are never looked up.
import { readdir, rm, utimes, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Clock } from '../../../../kernel/clock.ts';
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import type { PodmanClient } from './client.ts';
import { podmanFailure } from './failure.ts';
import { podmanProcess, readText, writeWhole, type Place } from './place.ts';

const ImageRecord = Type.Object({ podmanId: Type.String({ pattern: '^[0-9a-f]{64}$' }) });
const recordSchema = Compile(ImageRecord);
type ImageRecord = Static<typeof ImageRecord>;

const LoadedImage = Type.Object({
  Id: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  Annotations: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
});
type LoadedImage = Static<typeof LoadedImage>;
const imageSchema = Compile(LoadedImage);

const loadTimeoutMs = 10 * 60_000;
/** An image that no guest uses is kept for the next create. */
export const imageIdleMs = 10 * 60_000;

/**
 * Annotations of an image's manifest reach the OCI runtime, which obeys some of them: with
 * `run.oci.seccomp_bpf_data` an image would bring its own seccomp filter. These are only descriptions.
 */
const harmlessAnnotation =
  /^(org\.opencontainers\.image\.|org\.label-schema\.|com\.docker\.|io\.buildah\.|io\.artifacthub\.)/;

const recordPath = (place: Place, imageId: string): string => join(place.images, `${imageId}.json`);

async function readRecord(place: Place, imageId: string): Promise<ImageRecord | null> {
  const text = await readText(recordPath(place, imageId));
  const parsed: unknown = text === null ? null : JSON.parse(text);
  return recordSchema.Check(parsed) ? parsed : null;
}

/** What `podman load` printed: one `Loaded image: <name or sha256:id>` per image of the archive. */
export function loadedNames(output: string): string[] {
  return [...output.matchAll(/^Loaded image(?:\(s\))?: (.+)$/gm)].flatMap((match) =>
    (match[1] ?? '').split(/,\s*/),
  );
}

async function inspectImage(client: PodmanClient, name: string): Promise<LoadedImage | null> {
  const reply = await client.call('GET', `/images/${encodeURIComponent(name)}/json`);
  return reply.status === 200 && imageSchema.Check(reply.body) ? reply.body : null;
}

async function load(place: Place, client: PodmanClient, imageId: string, file: string): Promise<string> {
  let output: string;
  try {
    const command = [
      'podman',
      'load',
      '--quiet',
      '--signature-policy',
      place.policy,
      '--input',
      resolve(file),
    ] as const;
    output = (await run(command, { ...podmanProcess(place), timeoutMs: loadTimeoutMs })).stdout;
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    if (error.reason === 'timeout') {
      throw new DriverError(
        'timeout',
        `image ${imageId}: unpacking took longer than ${loadTimeoutMs / 60_000} minutes`,
        error.stderr,
        error,
      );
    }
    throw podmanFailure(
      error.stderr,
      `image ${imageId}: podman cannot load it; it must be a 'docker save' or OCI archive of one image for this architecture`,
      'refused',
      error,
    );
  }
  const names = [...new Set(loadedNames(output))];
  const images = await Promise.all(names.map((name) => inspectImage(client, name.replace(/^sha256:/, ''))));
  const ids = new Set(images.flatMap((image) => (image === null ? [] : [image.Id])));
  const [image] = images;
  const refuse = async (rule: string): Promise<never> => {
    for (const id of ids) await client.call('DELETE', `/images/${id}`);
    throw new DriverError('refused', `image ${imageId}: ${rule}`, output);
  };
  if (image === undefined || image === null || ids.size !== 1) {
    return await refuse(`the archive holds ${ids.size} images; it must hold exactly one`);
  }
  const odd = Object.keys(image.Annotations ?? {}).find((key) => !harmlessAnnotation.test(key));
  if (odd !== undefined)
    return await refuse(
      `annotation '${odd.slice(0, 100)}' is not allowed, because container runtimes may obey it`,
    );
  for (const name of names.filter((each) => !each.startsWith('sha256:'))) {
    const colon = name.lastIndexOf(':');
    const query = new URLSearchParams({ repo: name.slice(0, colon), tag: name.slice(colon + 1) });
    await client.call('POST', `/images/${image.Id}/untag?${query}`);
  }
  // For the operator who looks with podman; nothing here reads the name.
  await client.call(
    'POST',
    `/images/${image.Id}/tag?${new URLSearchParams({ repo: 'localhost/strata', tag: imageId })}`,
  );
  return image.Id;
}

export type ImageStore = {
  /** podman's id of the image, loaded from `file` unless it is there already. */
  ensure(imageId: string, file: string): Promise<string>;
  /** Removes images that were idle for `imageIdleMs` and that no guest of `used` needs. */
  sweep(used: ReadonlySet<string>): Promise<void>;
};

export function createImageStore(place: Place, client: PodmanClient, clock: Clock): ImageStore {
  const ensuring = new Map<string, Promise<string>>();
  // One load at a time: two archives may carry the same name, which is only free of races alone.
  let turn: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => {});
    return mine;
  };

  const ensure = async (imageId: string, file: string): Promise<string> => {
    const record = await readRecord(place, imageId);
    if (record !== null && (await client.call('GET', `/images/${record.podmanId}/exists`)).status === 204) {
      const now = new Date(clock.now());
      await utimes(recordPath(place, imageId), now, now);
      return record.podmanId;
    }
    return await alone(async () => {
      const podmanId = await load(place, client, imageId, file);
      await writeWhole(recordPath(place, imageId), JSON.stringify({ podmanId } satisfies ImageRecord));
      return podmanId;
    });
  };

  return {
    ensure(imageId, file) {
      const running = ensuring.get(imageId) ?? ensure(imageId, file).finally(() => ensuring.delete(imageId));
      ensuring.set(imageId, running);
      return running;
    },
    sweep: (used) =>
      alone(async () => {
        const imageIds = (await readdir(place.images))
          .filter((name) => name.endsWith('.json'))
          .map((name) => name.slice(0, -5));
        const kept = new Set<string>();
        const idle: { imageId: string; podmanId: string }[] = [];
        for (const imageId of imageIds) {
          const record = await readRecord(place, imageId);
          if (record === null) continue;
          const { mtimeMs } = await stat(recordPath(place, imageId));
          const needed = used.has(imageId) || ensuring.has(imageId) || clock.now() - mtimeMs < imageIdleMs;
          if (needed) kept.add(record.podmanId);
          else idle.push({ imageId, podmanId: record.podmanId });
        }
        for (const { imageId, podmanId } of idle) {
          if (!kept.has(podmanId)) {
            await client.call('POST', `/images/${podmanId}/untag`);
            const reply = await client.call('DELETE', `/images/${podmanId}?force=false`);
            if (reply.status !== 200 && reply.status !== 404) continue; // a container still needs it
          }
          await rm(recordPath(place, imageId), { force: true });
        }
      }),
  };
}
