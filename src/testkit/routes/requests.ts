// Requests built from the route table: valid by schema, with a tenant's own objects wherever an id goes, or with
// another id in one chosen place.
import { seededRng, type Rng } from '../../kernel/ids.ts';
import type { Sent } from './cloud.ts';
import { queryString, valueFor, type Generator } from './generate.ts';
import { asSchema, type Entry, type IdPlace, type Step } from './schema-walk.ts';

export type Ids = Readonly<Record<string, string>>;
type Json = Record<string, unknown>;

/** What a schema cannot say of a body that makes sense, by route; used where the test does not put something else. */
export const sensible: Readonly<Record<string, (ids: Ids, other: string) => Json>> = {
  'POST /network/v2.0/floatingips': (ids) => ({ floatingip: { floating_network_id: ids['external'] } }),
  'POST /network/v2.0/routers': (ids) => ({
    router: { external_gateway_info: { network_id: ids['external'] } },
  }),
  'PUT /network/v2.0/routers/:router_id': (ids) => ({
    router: { external_gateway_info: { network_id: ids['external'] } },
  }),
  'POST /network/v2.0/subnets': () => ({ subnet: { cidr: '10.91.0.0/24', ip_version: 4 } }),
  'POST /compute/v2.1/servers': (ids) => ({
    server: { imageRef: ids['image'], flavorRef: ids['flavor'], networks: [{ uuid: ids['network'] }] },
  }),
  'POST /compute/v2.1/strata-dry-run/servers': (ids) => ({
    server: { imageRef: ids['image'], flavorRef: ids['flavor'], networks: [{ uuid: ids['network'] }] },
  }),
  'PUT /compute/v2.1/servers/:server_id/metadata/:key': (_, other) => ({ meta: { [other]: 'quagga' } }),
  'PUT /compute/v2.1/flavors/:flavor_id/os-extra_specs/:spec_key': (_, other) => ({ [other]: 'quagga' }),
  'PUT /network/v2.0/routers/:router_id/add_router_interface': (ids) => ({ subnet_id: ids['subnet'] }),
  'PUT /network/v2.0/routers/:router_id/remove_router_interface': (ids) => ({ subnet_id: ids['subnet'] }),
  'PUT /volume/v3/volumes/:volume_id/metadata/:key': (_, other) => ({ meta: { [other]: 'quagga' } }),
  'PUT /volume/v3/snapshots/:snapshot_id/metadata/:key': (_, other) => ({ meta: { [other]: 'quagga' } }),
  'PUT /volume/v3/types/:type_id/extra_specs/:key': (_, other) => ({ [other]: 'quagga' }),
  'POST /volume/v3/volumes/:volume_id/action os-attach': (ids) => ({ instance_uuid: ids['server'] }),
  'POST /compute/v2.1/os-keypairs': () => ({
    keypair: {
      public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqbhHhJ9Y4PnGkZ4p7YNyZrPq0Q0UxvVQmXK8p2oWnZ test',
    },
  }),
};

/** Cinder's routes are there twice, with and without the project in the address. */
const unprefixed = (key: string): string => key.replace('/volume/v3/:project_id/', '/volume/v3/');

/** Bodies that hold one of several properties. */
const oneOf: ReadonlySet<string> = new Set([
  'PUT /network/v2.0/routers/:router_id/add_router_interface',
  'PUT /network/v2.0/routers/:router_id/remove_router_interface',
]);

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `base` where `generated` says nothing or something else, except on the way of `steps`. */
function fitted(base: unknown, generated: unknown, steps: readonly Step[]): unknown {
  if (!isObject(base) || !isObject(generated))
    return steps.length > 0 && generated !== undefined ? generated : base;
  const [step, ...rest] = steps.filter((one) => !('branch' in one));
  const out: Json = { ...generated };
  for (const [name, value] of Object.entries(base)) {
    const onTheWay = step !== undefined && 'property' in step && step.property === name;
    if (onTheWay && rest.length === 0) continue;
    out[name] =
      name in generated && (onTheWay || isObject(value))
        ? fitted(value, generated[name], onTheWay ? rest : [])
        : value;
  }
  return out;
}

/** Neutron's bodies hold one object or a list of them under its plural: the list's first gets what one would get. */
function fitBody(base: Json, generated: Json, steps: readonly Step[]): unknown {
  const [first, , ...inItem] = steps;
  const plural =
    first !== undefined && 'property' in first && Array.isArray(generated[first.property])
      ? first.property
      : null;
  const single = Object.keys(base)[0] ?? '';
  if (plural === null || plural !== `${single}s`) return fitted(base, generated, steps);
  return { [plural]: [fitted(base[single], (generated[plural] as unknown[])[0], inItem)] };
}

/** Replaces what `steps` lead to. */
export function setAt(value: unknown, steps: readonly Step[], leaf: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return leaf;
  if ('branch' in step) return setAt(value, rest, leaf);
  if ('items' in step) {
    const [first, ...others] = Array.isArray(value) ? value : [undefined];
    return [setAt(first, rest, leaf), ...others];
  }
  const of = isObject(value) ? value : {};
  const name = 'property' in step ? step.property : (Object.keys(of).at(-1) ?? 'quagga');
  return { ...of, [name]: setAt(of[name], rest, leaf) };
}

export type Choice = { place: IdPlace; id: string };
export type Chosen = { in: 'body' | 'query'; steps: readonly Step[]; value: unknown };

export type Build = {
  ids: Ids;
  rng?: Rng;
  fullness?: number;
  /** false: the body is only what its schema says, sense or not. */
  fit?: boolean;
  /** One place with another id. */
  substitute?: Choice;
  /** One place of the body or query with another value. */
  put?: Chosen;
  /** Values for path parameters that are not ids. */
  other?: string;
};

export function buildRequest(entry: Entry, token: string | null, build: Build): Sent & { body: unknown } {
  const { route, service, minor } = entry;
  const { ids, substitute } = build;
  const g: Generator = {
    rng: build.rng ?? seededRng(7),
    minor,
    fullness: build.fullness ?? 0,
    ref: (kind) => ids[kind] ?? 'quagga',
  };
  const put: Chosen | null =
    build.put ??
    (substitute === undefined || substitute.place.in === 'path'
      ? null
      : { in: substitute.place.in, steps: substitute.place.steps, value: substitute.id });
  const path = (service.prefix + route.path).replace(/:([a-z_]+)/g, (_, name: string) => {
    if (substitute?.place.in === 'path' && substitute.place.name === name)
      return encodeURIComponent(substitute.id);
    const kind = route.ids[name] ?? 'none';
    return encodeURIComponent(kind === 'none' ? (build.other ?? 'quagga') : (ids[kind] ?? 'quagga'));
  });
  const part = (where: 'body' | 'query', schema: unknown): unknown => {
    const steps = put?.in === where ? put.steps : [];
    const generated = valueFor(asSchema(schema), g, steps);
    const base =
      where === 'body' && (build.fit ?? true) && !(steps.length > 0 && oneOf.has(entry.key))
        ? sensible[unprefixed(entry.key)]?.(ids, build.other ?? 'quagga')
        : undefined;
    const value = base === undefined ? generated : fitBody(base, generated as Json, steps);
    return put?.in === where ? setAt(value, steps, put.value) : value;
  };
  const query = route.query === undefined ? {} : (part('query', route.query) as Json);
  let body = route.body === undefined ? undefined : part('body', route.body);
  if (route.action !== undefined) body = { [route.action]: body ?? null };
  const versions = service.microversions;
  return {
    method: route.method,
    url: path + queryString(query),
    headers: {
      ...(token === null ? {} : { 'x-auth-token': token }),
      ...(versions === undefined
        ? {}
        : { 'openstack-api-version': `${versions.type} ${versions.min.split('.')[0]}.${minor}` }),
      ...(route.streams === true
        ? { 'content-type': 'application/octet-stream' }
        : body === undefined
          ? {}
          : { 'content-type': 'application/json' }),
    },
    body,
    ...(route.streams === true
      ? { payload: Buffer.from('quagga') }
      : body === undefined
        ? {}
        : { payload: JSON.stringify(body) }),
  };
}

/** The request as a line for a shell. */
export function asCurl(request: Sent): string {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const body =
    request.payload === undefined
      ? ''
      : ` --data-binary ${quote(String(request.payload).slice(0, 2000))}${request.payload.length > 2000 ? ` # ... ${request.payload.length} bytes in all` : ''}`;
  const headers = Object.entries(request.headers).map(
    ([name, value]) =>
      ` -H ${quote(`${name}: ${name === 'x-auth-token' && value.length > 100 ? '$TOKEN' : value.slice(0, 500)}`)}`,
  );
  return `curl -X ${request.method}${headers.join('')} "$URL"${quote(request.url)}${body}`;
}
