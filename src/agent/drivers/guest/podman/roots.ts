// The root of a container as it was before a resize: a container's limits and the size of its root are fixed when it is
// made, so a resize commits the root to a local image and makes the container anew of that. A revert makes it of the
// same image again. Such images belong to one guest and go with it.
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { DriverError } from '../../errors.ts';
import type { GuestSpec } from '../driver.ts';
import type { PodmanClient } from './client.ts';
import { containerName } from './container.ts';
import { replyFailure } from './failure.ts';
import type { GuestRecord, GuestRecords } from './record.ts';

const imageSchema = Compile(Type.Object({ Id: Type.String({ pattern: '^(?:sha256:)?[0-9a-f]{64}$' }) }));
const repository = 'localhost/strata-root';
const commitTimeoutMs = 10 * 60_000;

const rootTag = (id: string, count: number): string => `${id}-${count}`;

export type RootContext = {
  cloudId: string;
  client: PodmanClient;
  records: GuestRecords;
  /** Ends the container and removes it. */
  remove(id: string): Promise<void>;
  /** Makes the container of the record's root, where it has one. */
  define(spec: GuestSpec): Promise<void>;
};

async function imageNamed(client: PodmanClient, name: string): Promise<string | null> {
  const reply = await client.call('GET', `/images/${encodeURIComponent(name)}/json`);
  return reply.status === 200 && imageSchema.Check(reply.body) ? reply.body.Id.replace(/^sha256:/, '') : null;
}

/** The image of the root as it is now; one that was made for this resize already stays. */
async function commit({ cloudId, client }: RootContext, id: string, count: number): Promise<string> {
  const name = `${repository}:${rootTag(id, count)}`;
  const before = await imageNamed(client, name);
  if (before !== null) return before;
  const query = new URLSearchParams({
    container: containerName(cloudId, id),
    repo: repository,
    tag: rootTag(id, count),
    pause: 'false',
  });
  const reply = await client.call('POST', `/commit?${query}`, { timeoutMs: commitTimeoutMs });
  const made = reply.status === 200 || reply.status === 201 ? await imageNamed(client, name) : null;
  if (made === null) throw replyFailure(reply, `server ${id}: podman cannot keep the root of its container`);
  return made;
}

async function anew(context: RootContext, spec: GuestSpec, fields: Partial<GuestRecord>): Promise<void> {
  const { records } = context;
  const { id, body } = spec;
  await context.remove(id);
  await context.define(spec);
  await records.set(id, { ...fields, resizeCount: body.resizeCount, stopping: true });
}

/** The record names the root before the old container goes, so that a crash in between makes it of the right one. */
export async function resizeRoot(context: RootContext, spec: GuestSpec): Promise<void> {
  const { id, body } = spec;
  const record = await context.records.read(id);
  if (record === null) throw new DriverError('failed', `server ${id} is not on this host`);
  if (record.resizeCount === body.resizeCount) return;
  const original = record.original ?? (await commit(context, id, body.resizeCount));
  const roots = [...new Set([...(record.roots ?? []), original])];
  await context.records.set(id, { original, root: original, roots });
  await anew(context, spec, {});
}

export async function revertRoot(context: RootContext, spec: GuestSpec): Promise<void> {
  const { id, body } = spec;
  const record = await context.records.read(id);
  if (record === null) throw new DriverError('failed', `server ${id} is not on this host`);
  if (record.resizeCount === body.resizeCount) return;
  // Nothing was done yet: the container is as it was.
  if ((record.original ?? null) === null)
    return context.records.set(id, { resizeCount: body.resizeCount, stopping: true });
  await anew(context, spec, { original: null });
}

/** After the guest is gone; newest first, because an older one is a layer of it. */
export async function removeRoots(client: PodmanClient, record: GuestRecord | null): Promise<void> {
  for (const image of (record?.roots ?? []).toReversed()) {
    await client.call('POST', `/images/${image}/untag`);
    await client.call('DELETE', `/images/${image}?force=false`);
  }
}
