// Values that a schema accepts, chosen by a seeded generator: the smallest by default, fuller when the fuzzer
// asks, and always with the part that `through` leads to.
import type { Rng } from '../../kernel/ids.ts';
import { knownAt, recordName, recordValue, type Schema, type Step } from './schema-walk.ts';

export type Generator = {
  rng: Rng;
  minor: number;
  /** The id of an object of this kind. */
  ref(kind: string): string;
  /** How often an optional property is given, 0 to 1. */
  fullness: number;
};

/** Texts to choose from where a schema only gives a pattern; a field's own come first. */
const byField: Readonly<Record<string, readonly unknown[]>> = {
  cidr: ['10.91.0.0/24', '10.92.0.0/16'],
  ip_version: [4],
  ip_address: ['10.91.0.77', '10.90.0.50'],
  fixed_ip_address: ['10.90.0.51'],
  floating_ip_address: ['172.24.4.200'],
  gateway_ip: ['10.91.0.1'],
  start: ['10.91.0.10'],
  end: ['10.91.0.20'],
  destination: ['10.99.0.0/24'],
  nexthop: ['10.90.0.1'],
  dns_nameservers: ['1.1.1.1'],
  remote_ip_prefix: ['10.0.0.0/8'],
  ethertype: ['IPv4', 'IPv6'],
  protocol: ['tcp', 'udp', 'icmp'],
  public_key: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqbhHhJ9Y4PnGkZ4p7YNyZrPq0Q0UxvVQmXK8p2oWnZ test'],
  methods: ['password', 'token'],
  sort_key: ['name', 'id', 'created_at'],
  sort_dir: ['asc', 'desc'],
  sort: ['name:asc'],
  fields: ['id', 'name'],
  policy: ['anti-affinity', 'affinity'],
  path: ['/name', '/zebra', '/tags'],
  op: ['replace', 'add', 'remove'],
};
const samples = [
  'quagga', 'a', 'quagga-1', '80%', '10.91.0.9', '10.91.0.0/24', '02:00:00:11:22:33', 'c2hlbGw=', '7', '1', '0', '-1', 'true', 'hw_disk_bus', 'SOFT', 'soft', 'HARD', 'enable',
  '/name', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000Z', '00000000-0000-4000-8000-00000000abcd', '2001:db8::7', 'quagga@example.org', 'http://127.0.0.1/', '3fa85f6457174562b3fc2c963f66afa6', '',
]; // prettier-ignore

const patterns = new Map<string, RegExp>();
export function patternOf(source: string): RegExp {
  const known = patterns.get(source) ?? new RegExp(source, 'u');
  patterns.set(source, known);
  return known;
}

const formats: Readonly<Record<string, string>> = {
  ipv4: '10.91.0.9',
  ipv6: '2001:db8::7',
  uuid: '00000000-0000-4000-8000-00000000abcd',
  'date-time': '2026-01-02T03:04:05Z',
  email: 'quagga@example.org',
  uri: 'http://127.0.0.1/',
};

const pick = <T>(rng: Rng, list: readonly T[]): T => list[Math.floor(rng() * list.length)] as T;

function stringFor(schema: Schema, g: Generator, field: string): string {
  if (schema['x-ref'] !== undefined) return g.ref(schema['x-ref']);
  const fits = (text: unknown): text is string =>
    typeof text === 'string' &&
    text.length >= (schema.minLength ?? 0) &&
    text.length <= (schema.maxLength ?? Infinity) &&
    (schema.pattern === undefined || patternOf(schema.pattern).test(text));
  if (schema.format !== undefined) return formats[schema.format] ?? 'quagga';
  const own = (byField[field] ?? []).filter(fits);
  if (own.length > 0) return pick(g.rng, own);
  const fitting = samples.filter(fits);
  if (fitting.length === 0)
    throw new Error(
      `No sample text fits ${JSON.stringify(schema)} (field ${field}): add one to src/testkit/routes/generate.ts.`,
    );
  // The first sample, unless variety is asked for: names then collide as those of users do.
  return g.fullness === 0 ? (fitting[0] as string) : pick(g.rng, fitting);
}

function objectFor(
  schema: Schema,
  g: Generator,
  through: readonly Step[] | undefined,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const [step, ...rest] = through ?? [];
  const forced = step !== undefined && 'property' in step ? step.property : null;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (!knownAt(property, g.minor)) continue;
    const required = schema.required?.includes(name) === true;
    if (name !== forced && !required && g.rng() >= g.fullness) continue;
    out[name] = valueFor(property, g, name === forced ? rest : undefined, name);
  }
  const values = recordValue(schema);
  const wanted = Math.max(
    schema.minProperties ?? 0,
    step !== undefined && 'value' in step ? 1 : 0,
    g.rng() < g.fullness ? 1 : 0,
  );
  if (values !== null && wanted > 0) {
    const name = stringFor(
      {
        type: 'string',
        minLength: 1,
        ...(recordName(schema) === null ? {} : { pattern: recordName(schema) as string }),
      },
      g,
      '',
    );
    out[name] = valueFor(values, g, step !== undefined && 'value' in step ? rest : undefined, name);
  }
  return out;
}

/** A value for `schema`; `field` is the property it is for. */
export function valueFor(schema: Schema, g: Generator, through?: readonly Step[], field = ''): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return pick(g.rng, schema.enum);
  const [step, ...rest] = through ?? [];
  if (schema.anyOf !== undefined) {
    const known = schema.anyOf.filter((one) => knownAt(one, g.minor));
    if (step !== undefined && 'branch' in step)
      return valueFor(schema.anyOf[step.branch] as Schema, g, rest, field);
    return valueFor(g.fullness === 0 ? (known[0] as Schema) : pick(g.rng, known), g, undefined, field);
  }
  const type = Array.isArray(schema.type) ? pick(g.rng, schema.type) : schema.type;
  if (type === 'object' || schema.properties !== undefined) return objectFor(schema, g, through);
  if (type === 'array') {
    const least = Math.max(schema.minItems ?? 0, step === undefined ? 0 : 1);
    const count = Math.min(Math.max(least, Math.round(g.fullness * g.rng() * 3)), schema.maxItems ?? 3);
    return Array.from({ length: count }, (_, at) =>
      valueFor(schema.items ?? {}, g, at === 0 && step !== undefined ? rest : undefined, field),
    );
  }
  if (type === 'string') return stringFor(schema, g, field);
  if (type === 'integer' || type === 'number') {
    const hint = (byField[field] ?? []).find((value) => typeof value === 'number');
    if (hint !== undefined) return hint;
    const [low, high] = [schema.minimum ?? 0, schema.maximum ?? 1000];
    return g.fullness === 0
      ? Math.max(low, Math.min(1, high))
      : pick(g.rng, [
          low,
          high,
          Math.max(low, Math.min(1, high)),
          Math.floor(low + g.rng() * Math.min(high - low, 20)),
        ]);
  }
  if (type === 'boolean') return g.rng() < 0.5;
  if (type === 'null') return null;
  if (type === undefined) return pick(g.rng, ['quagga', 7, true, null]);
  throw new Error(`No value for a schema of type ${type}: teach src/testkit/routes/generate.ts.`);
}

/** The query string of generated query values. */
export function queryString(values: Readonly<Record<string, unknown>>): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    for (const one of Array.isArray(value) ? value : [value]) out.append(name, String(one));
  const text = out.toString();
  return text === '' ? '' : `?${text}`;
}
