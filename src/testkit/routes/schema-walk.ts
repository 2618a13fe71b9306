// Reads the TypeBox schemas of the route table as plain data: where a request may name an object, and where it
// may hold a string. The cross-tenant matrix, the fuzzer and the bad-input tests are generated from this.
import type { Route, Service } from '../../kernel/http/route.ts';
import { minorOf } from '../../kernel/schema.ts';

export type Schema = {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  'x-ref'?: string;
  'x-since'?: string;
  'x-until'?: string;
};

/** From a schema to one of its parts: a property, the items of a list, one of several alternatives, any value of a record. */
export type Step = { property: string } | { items: true } | { branch: number } | { value: true };
export type Place = { steps: readonly Step[]; schema: Schema };

export const asSchema = (schema: unknown): Schema => schema as Schema;

export const knownAt = (schema: Schema, minor: number): boolean =>
  !(schema['x-since'] !== undefined && minor < minorOf(schema['x-since'])) &&
  !(schema['x-until'] !== undefined && minor > minorOf(schema['x-until']));

/** Every part of `schema` that `wanted` picks, with the way to it; what the microversion does not know is left out. */
export function places(
  schema: Schema,
  minor: number,
  wanted: (schema: Schema) => boolean,
  steps: readonly Step[] = [],
): Place[] {
  if (!knownAt(schema, minor)) return [];
  const inside = (child: Schema, step: Step): Place[] => places(child, minor, wanted, [...steps, step]);
  const record = recordValue(schema);
  return [
    ...(wanted(schema) ? [{ steps, schema }] : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([property, child]) => inside(child, { property })),
    ...(schema.items === undefined ? [] : inside(schema.items, { items: true })),
    ...(schema.anyOf ?? []).flatMap((child, branch) => inside(child, { branch })),
    ...(record === null ? [] : inside(record, { value: true })),
  ];
}

/** The schema of a record's values; null when it takes no names of its own choice. */
export function recordValue(schema: Schema): Schema | null {
  const [pattern] = Object.values(schema.patternProperties ?? {});
  if (pattern !== undefined) return pattern;
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : null;
}
/** The pattern of a record's names; null: any. */
export const recordName = (schema: Schema): string | null =>
  Object.keys(schema.patternProperties ?? {})[0] ?? null;

export const isRef = (schema: Schema): boolean => schema['x-ref'] !== undefined && schema['x-ref'] !== 'none';
export const isFreeString = (schema: Schema): boolean =>
  schema.type === 'string' && schema.const === undefined && schema.enum === undefined;

/** e.g. `server.networks[].uuid`. */
export const nameOf = (steps: readonly Step[]): string =>
  steps
    .map((step) =>
      'property' in step ? `.${step.property}` : 'items' in step ? '[]' : 'value' in step ? '.*' : '',
    )
    .join('')
    .replace(/^\./, '');

/** The last property on the way, which a refusal has to name. */
export const fieldOf = (steps: readonly Step[]): string => {
  const last = steps.findLast((step) => 'property' in step);
  return last !== undefined && 'property' in last ? last.property : '';
};

/** A route with the service it belongs to. */
export type Entry = { service: Service; route: Route; key: string; minor: number };

/** All routes of a cloud. `minor` is the newest microversion that the route is served at. */
export function entriesOf(services: readonly Service[]): Entry[] {
  return services.flatMap((service) =>
    service.routes.map((route) => ({
      service,
      route,
      key: `${route.method} ${service.prefix}${route.path}${route.action === undefined ? '' : ` ${route.action}`}`,
      minor: service.microversions === undefined ? 0 : minorOf(route.until ?? service.microversions.max),
    })),
  );
}

/** Where a route takes the id of an object. */
export type IdPlace =
  | { in: 'path'; name: string; kind: string }
  | { in: 'body' | 'query'; name: string; kind: string; steps: readonly Step[] };

export function idPlaces({ route, minor }: Entry): IdPlace[] {
  const inSchema = (where: 'body' | 'query', schema: unknown): IdPlace[] =>
    schema === undefined
      ? []
      : places(asSchema(schema), minor, isRef).map(({ steps, schema: { 'x-ref': kind = '' } }) => ({
          in: where,
          name: nameOf(steps),
          kind,
          steps,
        }));
  return [
    ...Object.entries(route.ids).flatMap(([name, kind]): IdPlace[] =>
      kind === 'none' ? [] : [{ in: 'path', name, kind }],
    ),
    ...inSchema('body', route.body),
    ...inSchema('query', route.query),
  ];
}
