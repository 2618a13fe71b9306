// Named locks of this process. A transaction waits here before it takes a connection, so that many waiters for
// one lock never use up the connections that everybody else needs.

export type Locks = {
  /** Waits for all of them; returns the release. Names are taken in one order, so that two never wait for each other. */
  take(names: readonly string[]): Promise<() => void>;
};

export function createLocks(): Locks {
  /** The end of the last holder or waiter of each name. */
  const tails = new Map<string, Promise<void>>();
  return {
    async take(names) {
      const releases: (() => void)[] = [];
      for (const name of [...new Set(names)].sort()) {
        const before = tails.get(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        tails.set(name, promise);
        releases.push(() => {
          if (tails.get(name) === promise) tails.delete(name);
          resolve();
        });
        await before;
      }
      return () => {
        for (const release of releases) release();
      };
    },
  };
}
