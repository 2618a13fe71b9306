// JSON home (draft-nottingham-json-home-03): the addresses of the API by the names of their relations, made from the
// route table. Asked for at /v3 with `Accept: application/json-home`.
import type { Route } from '../../kernel/http/route.ts';

const DOCS = 'https://docs.openstack.org/api/openstack-identity/3';

const singular = (word: string): string =>
  word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.endsWith('s') ? word.slice(0, -1) : word;

/** e.g. /v3/users/:user_id/projects -> user_projects, /v3/OS-TRUST/trusts/:trust_id -> trust of the extension OS-TRUST. */
function relationOf(path: string): string {
  const [first = '', ...others] = path.split('/').filter((segment) => segment !== '' && segment !== 'v3');
  const extension = first.startsWith('OS-') ? first : null;
  const segments = extension === null ? [first, ...others] : others;
  const words = segments.flatMap((segment, at) =>
    segment.startsWith(':')
      ? []
      : [(segments[at + 1] ?? '').startsWith(':') ? singular(segment) : segment.replaceAll('-', '_')],
  );
  const name = words.join('_');
  return extension === null ? `${DOCS}/rel/${name}` : `${DOCS}/ext/${extension}/1.0/rel/${name}`;
}

type Home = Record<
  string,
  { href: string } | { 'href-template': string; 'href-vars': Record<string, string> }
>;

export function jsonHome(routes: readonly Route[]): { resources: Home } {
  const resources: Home = {};
  for (const { path } of routes) {
    if (!path.startsWith('/v3/')) continue;
    const names = [...path.matchAll(/:([a-z_]+)/g)].map(([, name]) => name ?? '');
    resources[relationOf(path)] =
      names.length === 0
        ? { href: path }
        : {
            'href-template': path.replace(/:([a-z_]+)/g, '{$1}'),
            'href-vars': Object.fromEntries(names.map((name) => [name, `${DOCS}/param/${name}`])),
          };
  }
  return { resources };
}
