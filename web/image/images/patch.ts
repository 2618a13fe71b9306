// What changed of an image in its form, as the JSON patch that the image API takes.
import type { Patch } from './api.ts';

const pointer = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Names that `after` does not have are removed; `add` also replaces, whoever else wrote it meanwhile. */
export function patchBetween(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Patch {
  const removed = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const changed = Object.entries(after).filter(([name, value]) => !same(before[name], value));
  return [
    ...removed.map((name) => ({ op: 'remove' as const, path: pointer(name) })),
    ...changed.map(([name, value]) => ({ op: 'add' as const, path: pointer(name), value })),
  ];
}
