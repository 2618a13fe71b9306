// Who receives the content of an image says so in its row, and says it again while it does: of several control processes
// one that ended is told from one that is busy, and what it received is queued again.
import type { Platform } from '../../../kernel/platform.ts';

/** Milliseconds for which one word counts. */
export const LEASE_MS = 30_000;

export type Held = {
  /** Stops, and returns what stands in the row unless somebody took the image away. May be repeated. */
  release(): Promise<number>;
};

/** From when the row says `until` on. */
export function holdUpload({ db, clock, log }: Platform, id: string, first: number): Held {
  let until = first;
  let released = false;
  let cancel = (): void => {};
  let renewal: Promise<void> = Promise.resolve();
  const renew = async (): Promise<void> => {
    const longer = Math.max(until + 1, clock.now() + LEASE_MS);
    const kept = await db.tx((tx) =>
      tx
        .updateTable('images')
        .set({ lease_until: longer })
        .where('id', '=', id)
        .where('lease_until', '=', until)
        .executeTakeFirst(),
    );
    if (kept.numUpdatedRows === 1n) until = longer;
  };
  const renewLater = (): void => {
    cancel = clock.timer(LEASE_MS / 3, () => {
      renewal = renew()
        .catch((error: unknown) =>
          log.warn({ image: id, error: String(error) }, 'the lease of an upload could not be renewed'),
        )
        .then(() => {
          if (!released) renewLater();
        });
    });
  };
  renewLater();
  return {
    async release() {
      released = true;
      cancel();
      await renewal;
      return until;
    },
  };
}
