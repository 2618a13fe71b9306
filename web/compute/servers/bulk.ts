// The same action for many servers: what fails is said by the name of its server, and only that is tried again.
import { ApiError } from '../../kit/api.ts';
import { forEach } from '../../kit/action.tsx';

export type Target = { id: string; name: string };

/** Says whose error it is, and keeps what else is known of it. */
export function errorOf(name: string, error: unknown): Error {
  const text = `${name}: ${error instanceof Error ? error.message : String(error)}`;
  return error instanceof ApiError ? new ApiError(error.status, text, error.requestId) : new Error(text);
}

/** Rejects with what failed; called again it does only that. */
export function repeatable<T extends Target>(
  targets: readonly T[],
  run: (target: T) => Promise<unknown>,
): () => Promise<void> {
  let waiting = targets;
  return async () => {
    const done = new Set<T>();
    try {
      await forEach(waiting, async (target) => {
        await run(target).catch((error: unknown) => {
          throw errorOf(target.name, error);
        });
        done.add(target);
      });
    } finally {
      waiting = waiting.filter((target) => !done.has(target));
    }
  };
}
