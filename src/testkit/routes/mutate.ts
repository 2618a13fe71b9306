// Hostile variations of a request that was valid by schema: what clients send by mistake and attackers on purpose.
import type { Rng } from '../../kernel/ids.ts';
import type { Sent } from './cloud.ts';

export type Fuzzed = Sent & { body: unknown; label: string };

const pick = <T>(rng: Rng, list: readonly T[]): T => list[Math.floor(rng() * list.length)] as T;

const nested = (depth: number): unknown => {
  let value: unknown = 'x';
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value };
  return value;
};
const LONG = 'A'.repeat(100_000);
const HUGE_LIST = Array.from({ length: 20_000 }, (_, at) => at);

export const hostileTexts: readonly string[] = [
  '', ' ', 'null', 'true', '-1', '0', '1e308', 'NaN', '\u0000', 'a\u0000b', 'a\nb', 'a\r\nX-Injected: 1', '\u0007\u001b[31m', '\u007f', '\ud800', 'a\udfffb', '\ufffe', '🦓🦓🦓', '\u202egnp.exe', 'é'.normalize('NFD'),
  '../../../../etc/passwd', '/etc/passwd', '..\\..\\windows', 'file:///etc/passwd', "' OR '1'='1", '"; DROP TABLE servers; --', '$(reboot)', '`reboot`', '; reboot #', '| cat /etc/shadow', '-rf', '--help', '%s%n%x', '%00', '%2e%2e%2f',
  '<script>alert(1)</script>', '{{7*7}}', '${7*7}', '__proto__', 'constructor', 'toString', '0.0.0.0/0', '::/0', '10.0.0.0/33', '999.1.1.1', 'fe80::1%eth0', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '2026-13-45T99:99:99Z', 'in:', 'in:,,', 'a,b', '%', '_', '*',
]; // prettier-ignore
const hostileValues: readonly (() => unknown)[] = [
  () => null, () => true, () => false, () => 0, () => -1, () => -0, () => 1.5, () => 1e308, () => -1e308, () => 2 ** 31, () => 2 ** 53, () => 2 ** 63, () => 2 ** 64, () => 1e-320,
  () => [], () => ({}), () => [null], () => [[]], () => ['a', 1, null], () => ({ a: { b: { c: 1 } } }), () => ({ id: 'x' }), () => nested(40), () => nested(600), () => [...HUGE_LIST], () => LONG,
]; // prettier-ignore

const hostile = (rng: Rng): unknown => (rng() < 0.6 ? pick(rng, hostileTexts) : pick(rng, hostileValues)());

type Slot = { of: Record<string, unknown> | unknown[]; key: string | number };
/** The parts of a value that can be changed; what lies deeper than any honest body is left alone. */
function slots(value: unknown, depth = 0, out: Slot[] = []): Slot[] {
  if (typeof value !== 'object' || value === null || depth > 30) return out;
  const keys = Array.isArray(value) ? [...value.keys()].slice(0, 20) : Object.keys(value);
  for (const key of keys) {
    out.push({ of: value as Slot['of'], key });
    slots((value as Record<string | number, unknown>)[key], depth + 1, out);
  }
  return out;
}
const set = ({ of, key }: Slot, value: unknown): void =>
  void ((of as Record<string | number, unknown>)[key] = value);
const get = ({ of, key }: Slot): unknown => (of as Record<string | number, unknown>)[key];

/** Copies, so that a later change hits one of them; fewer of what is large, to stay within memory. */
const repeated = (value: unknown, times: number): unknown[] =>
  Array.from({ length: (JSON.stringify(value) ?? '').length > 10_000 ? 2 : times }, () =>
    structuredClone(value),
  );

/** Changes one to three things of a JSON body. */
export function mutateBody(rng: Rng, given: unknown): unknown {
  const root: { body: unknown } = { body: structuredClone(given) };
  for (let times = 1 + Math.floor(rng() * 3); times > 0; times--) {
    const slot = pick(rng, slots(root));
    const value = get(slot);
    const how = rng();
    if (how < 0.55) set(slot, hostile(rng));
    else if (how < 0.7 && !Array.isArray(slot.of) && slot.key !== 'body') delete slot.of[slot.key];
    else if (how < 0.85 && typeof value === 'object' && value !== null && !Array.isArray(value))
      (value as Record<string, unknown>)[
        pick(rng, [
          'quagga',
          'project_id',
          'tenant_id',
          'user_id',
          'id',
          'status',
          'admin',
          '',
          'a'.repeat(300),
          'a\u0001',
        ])
      ] = hostile(rng);
    else if (how < 0.92 && Array.isArray(value))
      set(slot, repeated(value[0] ?? hostile(rng), pick(rng, [2, 65, 1001])));
    else set(slot, [value]);
  }
  return root.body;
}

const TEN_MIB = Buffer.alloc(10 * 1024 * 1024, ' ');
TEN_MIB.write('{"a":"');
const rawPayloads: readonly (string | Buffer)[] = [
  '', '{', '[]', 'null', '"x"', '7', '{"a":1', '{"a":1}}', "{'a':1}", '\ufeff{}', '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{"x":1}}}', '{"a":1,"a":2}', '[1,2', 'a=b&c=d', '<xml/>', '{"\\u0000":1}', '{"a":NaN}', '{"a":1e999}', '{"a":-0}', '{"a":0x10}',
  Buffer.from([0xff, 0xfe, 0x00]), Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), '['.repeat(50_000), `{"a":`.repeat(20_000), TEN_MIB,
]; // prettier-ignore
const contentTypes = [
  'text/plain',
  'application/xml',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  'application/json; charset=utf-16',
  'application/openstack-images-v2.1-json-patch',
  '',
  'a'.repeat(5000),
  'application/json, text/plain',
];
const queries = [
  'limit=-1', 'limit=0', 'limit=abc', 'limit=99999999999999999999', 'limit=1.5', 'limit=1&limit=2', 'marker=junk', 'marker=', 'marker=a&marker=b', 'sort_key=junk', 'sort_key=id;drop', 'sort_key=__proto__', 'sort_key=toString', 'sort_dir=sideways', 'sort_key=name&sort_key=name&sort_dir=asc',
  'sort=junk:asc', 'sort=name:up', 'sort=,,,', 'fields=', 'fields=junk&fields=id', 'page_reverse=maybe', '__proto__=1', 'constructor=1', 'id=%00', 'name=%ff%fe', 'name[]=1', 'name[a]=1', 'a=1&a=2&a=3', '%', '%zz=1', '&&&===', `name=${'x'.repeat(20_000)}`, 'all_tenants=1', 'project_id=x&tenant_id=y',
  'changes-since=yesterday', 'changes-since=9999999999999', 'ip=(((', 'name=(a%2B)%2B%24', 'name=%5B', 'fixed_ips=junk', 'fixed_ips=ip_address', 'fixed_ips=subnet_id=', 'tags=,', 'not-tags-any=', 'revision_number=1e9', 'created_at=gt:junk', 'member_status=all', 'visibility=junk', 'size_min=-1', 'protected=maybe', 'is_public=maybe', 'is_public=None', 'deleted=true', 'status=JUNK', 'locked=9', 'ip_version=99', 'device_id=%F0%9F%A6%93', 'with_servers=maybe', 'usages=1', 'reserved=1', 'nocatalog', 'allow_expired=1', 'effective', 'include_names=perhaps', 'parents_as_list', 'subtree_as_ids',
]; // prettier-ignore
const headers: readonly Record<string, string>[] = [
  { 'openstack-api-version': 'compute 2.9999' }, { 'openstack-api-version': 'compute 1.0' }, { 'openstack-api-version': 'compute junk' }, { 'openstack-api-version': 'compute' }, { 'openstack-api-version': 'compute 2.1, compute 2.90' }, { 'openstack-api-version': 'volume 3.0' }, { 'openstack-api-version': '\u00e9' },
  { 'x-openstack-nova-api-version': '2.-1' }, { 'x-openstack-nova-api-version': '999999999.999999999' }, { 'x-auth-token': 'junk' }, { 'x-auth-token': '' }, { 'x-auth-token': 'a.b.c' }, { 'x-auth-token': 'A'.repeat(20_000) }, { 'x-subject-token': 'junk' }, { 'x-subject-token': '' }, { 'if-match': 'revision_number=junk' }, { 'if-match': '"x"' }, { 'if-none-match': '*' },
  { range: 'bytes=abc' }, { range: 'bytes=5-1' }, { range: 'bytes=999999999-' }, { range: 'bytes=-5' }, { accept: 'text/html' }, { accept: '\u00ff' }, { 'x-roles': 'admin' }, { 'x-forwarded-for': '127.0.0.1' }, { host: 'evil.test' }, { 'content-encoding': 'gzip' }, { 'x-http-method-override': 'DELETE' }, { 'x-image-meta-size': '-1' }, { expect: '200-ok' }, { 'x-openstack-request-id': 'req-<script>' }, { 'content-length': '7' },
]; // prettier-ignore
const methods = ['HEAD', 'OPTIONS', 'PATCH', 'PUT', 'DELETE', 'POST', 'TRACE', 'LINK', 'PROPFIND', 'SEARCH'];
const pathJunk = [
  '%00',
  '%0a',
  '%2e%2e%2f%2e%2e%2f',
  '%zz',
  '%',
  '%c0%af',
  '..',
  '.',
  '%F0%9F%A6%93',
  '%u0041',
  'a'.repeat(3000),
  ';a=b',
  '%20',
  '*',
  '//',
  '%5c',
  "'",
  '%22',
  '%ff',
];

/** One hostile variation; `rng` decides which. */
export function mutate(rng: Rng, valid: Sent & { body: unknown }): Fuzzed {
  const how = rng();
  const [path = '', query = ''] = valid.url.split('?');
  const withQuery = (more: string): string =>
    `${path}?${[query, more].filter((one) => one !== '').join('&')}`;
  if (how < 0.42 && valid.body !== undefined) {
    const body = mutateBody(rng, valid.body);
    return { ...valid, body, payload: JSON.stringify(body) ?? '', label: 'body' };
  }
  if (how < 0.52)
    return {
      ...valid,
      headers: { 'content-type': 'application/json', ...valid.headers },
      body: undefined,
      payload: pick(rng, rng() < 0.97 ? rawPayloads.slice(0, -1) : rawPayloads.slice(-1)),
      label: 'raw body',
    };
  if (how < 0.58)
    return {
      ...valid,
      headers: { ...valid.headers, 'content-type': pick(rng, contentTypes) },
      payload: valid.payload ?? '{}',
      label: 'content type',
    };
  if (how < 0.72) return { ...valid, url: withQuery(pick(rng, queries)), label: 'query' };
  if (how < 0.76)
    return {
      ...valid,
      url: withQuery(
        `${pick(rng, ['name', 'id', 'status', 'sort_key', 'marker', 'tags', 'user_id', 'image', 'host', 'cidr'])}=${encodeURIComponent(pick(rng, hostileTexts).toWellFormed())}`,
      ),
      label: 'query value',
    };
  if (how < 0.84) return { ...valid, headers: { ...valid.headers, ...pick(rng, headers) }, label: 'header' };
  if (how < 0.9) return { ...valid, method: pick(rng, methods), label: 'method' };
  const parts = path.split('/');
  parts[2 + Math.floor(rng() * Math.max(1, parts.length - 2))] =
    rng() < 0.6 ? pick(rng, pathJunk) : encodeURIComponent(pick(rng, hostileTexts).toWellFormed());
  return { ...valid, url: `${parts.join('/')}${query === '' ? '' : `?${query}`}`, label: 'path' };
}
