// Makes the files of an image match its row: after a change, after a crash, and at start.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Platform } from '../../../kernel/platform.ts';
import { RunError } from '../../../kernel/run.ts';
import { convertToQcow2, isConvertible } from '../content/convert.ts';
import type { ContentStore } from '../content/store.ts';
import { bootCopyOf, needsConversion, ownerOf, stageOf } from './forms.ts';
import { LEASE_MS } from './lease.ts';
import { moveStatus, WORK_CONTENT } from './service.ts';
import type { ImageRow } from './wire.ts';

export type Upkeep = {
  /** Removes what a crash left between a content and its row, and queues again what no process receives any more. */
  sweep(): Promise<void>;
  /** Level-triggered: makes the files match the row. */
  reconcile(id: string): Promise<void>;
};

/** Its content is on its way into a process. */
const isReceived = (row: Pick<ImageRow, 'status' | 'stage_size'>): boolean =>
  row.status === 'saving' || (row.status === 'uploading' && row.stage_size === null);

export function createUpkeep({ db, clock, work, log }: Platform, files: ContentStore): Upkeep {
  const formsOf = (id: string): string[] => [id, bootCopyOf(id), stageOf(id)];
  const removeAll = async (id: string): Promise<void> => {
    for (const content of formsOf(id)) {
      await files.delete(content);
      await files.dropParts(content);
    }
  };

  /** Queues an image again whose receiver ended; nobody else may take it before its files are gone. */
  const queueAgain = async (row: ImageRow): Promise<void> => {
    const lease = clock.now() + LEASE_MS;
    const mine = await db.tx((tx) =>
      moveStatus(tx, row.id, row.status, { lease_until: lease }, row.lease_until),
    );
    if (!mine) return;
    await removeAll(row.id);
    const queued = { status: 'queued', lease_until: 0, updated_at: clock.now() } as const;
    await db.tx((tx) => moveStatus(tx, row.id, row.status, queued, lease));
  };

  const convert = async (row: ImageRow): Promise<void> => {
    const { id } = row;
    if (!isConvertible(row.disk_format)) return;
    const target = files.path(bootCopyOf(id));
    try {
      await convertToQcow2({ path: files.path(id), format: row.disk_format }, target);
    } catch (error) {
      // Repeating it would only burn the same minutes of CPU again; without the program it is not the image's fault.
      if (!(error instanceof RunError) || error.reason === 'missing' || error.reason === 'spawn') throw error;
      log.warn({ image: id, error: error.message }, 'an image could not be converted');
      await db.tx((tx) => tx.updateTable('images').set({ boot_hash: '' }).where('id', '=', id).execute());
      return;
    }
    const hash = createHash('sha512');
    await pipeline(createReadStream(target), hash);
    const boot = { boot_hash: hash.digest('hex'), boot_size: (await stat(target)).size };
    await db.tx((tx) => tx.updateTable('images').set(boot).where('id', '=', id).execute());
  };

  const reconcile: Upkeep['reconcile'] = async (id) => {
    const row = await db.read.selectFrom('images').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) {
      // Who still receives its content finds the image gone, and drops that part.
      for (const content of formsOf(id)) await files.delete(content);
      await db.tx((tx) => tx.deleteFrom('image_members').where('image_id', '=', id).execute());
      return;
    }
    if (isReceived(row)) {
      if (row.lease_until <= clock.now()) return queueAgain(row);
      await db.tx((tx) => work.enqueue(tx, WORK_CONTENT, [id], row.lease_until - clock.now()));
      return;
    }
    if (row.status !== 'active' && row.status !== 'deactivated') return;
    // It has its content for good: nothing is staged any more.
    await files.delete(stageOf(id));
    if (row.status === 'active' && row.boot_hash === null && needsConversion(row)) await convert(row);
  };

  return {
    reconcile,
    async sweep() {
      const contents = [...(await files.list()).map(({ id }) => id), ...(await files.parts())];
      const owners = [...new Set(contents.map(ownerOf))];
      for (let at = 0; at < owners.length; at += 500) {
        const some = owners.slice(at, at + 500);
        const rows = await db.read.selectFrom('images').selectAll().where('id', 'in', some).execute();
        const known = new Map(rows.map((row) => [row.id, row]));
        for (const id of some) {
          const status = known.get(id)?.status;
          if (status === undefined || status === 'queued') await removeAll(id);
        }
      }
      const received = await db.read
        .selectFrom('images')
        .selectAll()
        .where('status', 'in', ['saving', 'uploading'])
        .execute();
      for (const row of received) if (isReceived(row)) await reconcile(row.id);
    },
  };
}
