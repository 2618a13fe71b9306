// What a role gives beside itself.
import type { Inference, Role } from './api.ts';

/** All that a role gives beside itself, nearest first. */
export function impliedBy(id: string, inferences: readonly Inference[]): Pick<Role, 'id' | 'name'>[] {
  const found = new Map<string, Pick<Role, 'id' | 'name'>>();
  let next = [id];
  while (next.length > 0) {
    const reached = next.flatMap(
      (one) => inferences.find(({ prior_role: prior }) => prior.id === one)?.implies ?? [],
    );
    const fresh = reached.filter((one) => one.id !== id && !found.has(one.id));
    for (const one of fresh) found.set(one.id, one);
    next = fresh.map((one) => one.id);
  }
  return [...found.values()];
}
