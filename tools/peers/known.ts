// The tables of docs/develop/peers.md: which tests are known not to pass, and why.

export type Known = { name: string; reason: string };

/**
 * `required`: rows `| name | reason |`, which hold for every run. `wide`: rows `| name | outcome | reason |`, which
 * hold only for what is beyond the required lists. Names stand in backquotes; a `*` in one stands for any text.
 */
export function knownFailures(markdown: string): { required: Known[]; wide: Known[] } {
  const required: Known[] = [];
  const wide: Known[] = [];
  for (const line of markdown.split('\n')) {
    const [, name, rest] = /^\|\s*`(tempest\.[^`]+)`\s*\|\s*(.*?)\s*\|\s*$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) continue;
    const [, reason] = /^(?:failed|skipped)\s*\|\s*(.*)$/.exec(rest) ?? [];
    if (reason === undefined) required.push({ name, reason: rest });
    else wide.push({ name, reason });
  }
  return { required, wide };
}

/** Why this test may fail; undefined: it may not. */
export const reasonOf = (known: readonly Known[], test: string): string | undefined =>
  known.find(({ name }) => {
    const parts = name.split('*').map((part) => RegExp.escape(part));
    return new RegExp(`^${parts.join('.*')}$`).test(test);
  })?.reason;

/** tempest lists `class.test[id-…,smoke]`; the brackets change between its releases, the name does not. */
export const bareName = (id: string): string => id.replace(/\[.*$/, '');

/** tempest.api.compute.servers… -> compute; what fails before it has a name of a test counts as `other`. */
export const serviceOf = (name: string): string =>
  /tempest\.(?:api|scenario)\.(\w+)/.exec(name)?.[1] ?? 'other';
