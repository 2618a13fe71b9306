// The table of known failures in docs/develop/peers.md: a name and the reason, one row each.

/** Test name -> reason. A row is `| name | reason |`, the name in backquotes. */
export const knownFailures = (markdown: string): Map<string, string> => {
  const known = new Map<string, string>();
  for (const line of markdown.split('\n')) {
    const [, name, reason] = /^\|\s*`(tempest\.[^`]+)`\s*\|\s*(.*?)\s*\|\s*$/.exec(line) ?? [];
    if (name !== undefined && reason !== undefined) known.set(name, reason);
  }
  return known;
};

/** tempest lists `class.test[id-…,smoke]`; the brackets change between its releases, the name does not. */
export const bareName = (id: string): string => id.replace(/\[.*$/, '');

/** tempest.api.compute.servers… -> compute; what fails before it has a name of a test counts as `other`. */
export const serviceOf = (name: string): string =>
  /tempest\.(?:api|scenario)\.(\w+)/.exec(name)?.[1] ?? 'other';
