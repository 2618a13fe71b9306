// Access rules: the single requests that a token was narrowed to. All services are in this program, so that the
// pipeline itself refuses the rest. Paths are compared segment by segment, decoded, so that no spelling of an
// address (%2e, //, a trailing slash, an alias of the prefix) is more than the rule says.
export type AccessRule = {
  /** Service type, e.g. 'compute'. */
  service: string;
  /** e.g. 'GET'. */
  method: string;
  /** Below the service's prefix or with it; `*` and `{name}` are one segment or a part of one, `**` any number. */
  path: string;
};

type Served = { type: string; typeAliases?: readonly string[]; prefix: string };

/** null: it cannot be decoded, which matches nothing. */
function segmentsOf(path: string): string[] | null {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map((segment) => decodeURIComponent(segment));
  } catch {
    return null;
  }
}

/** `**` counts over segments only where it stands alone in one; inside a segment it is `*`: at least one character. */
function segmentFits(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split(/\{[^}/]*\}|\*+/);
  const last = parts.pop();
  if (last === undefined) return pattern === text;
  if (text.includes('/') || !text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const next = text.indexOf(part, at + 1);
    if (next < 0) return false;
    at = next + part.length;
  }
  return text.endsWith(last) && text.length - last.length > at;
}

function fits(rule: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = rule;
  if (first === undefined) return path.length === 0;
  if (first === '**') {
    for (let skipped = path.length; skipped >= 1; skipped--) if (fits(rest, path.slice(skipped))) return true;
    return false;
  }
  const [own, ...others] = path;
  return own !== undefined && segmentFits(first, own) && fits(rest, others);
}

/** `path` is the request's address without the query; `prefix` the one of the service's by which it came. */
export function isAllowed(
  rules: readonly AccessRule[],
  service: Served,
  method: string,
  path: string,
): boolean {
  const whole = segmentsOf(path);
  if (whole === null) return false;
  const types = [service.type, ...(service.typeAliases ?? [])];
  // The first segment is the service's prefix, or an alias of it.
  const below = whole.slice(segmentsOf(service.prefix)?.length ?? 0);
  const full = [...(segmentsOf(service.prefix) ?? []), ...below];
  return rules.some((rule) => {
    if (rule.method !== method || !types.includes(rule.service)) return false;
    const wanted = segmentsOf(rule.path);
    return wanted !== null && (fits(wanted, below) || fits(wanted, full));
  });
}
