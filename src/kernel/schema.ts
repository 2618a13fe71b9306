// Schemas of requests: TypeBox schemas, marked with the microversions that know a property, compiled once
// per version step. A refusal names field, value and rule.
import { Type, type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { badRequest } from './errors.ts';

/** Marks a property as known from this microversion on, e.g. `tags: since('2.52', Type.Array(...))`. */
export const since = <T extends TSchema>(version: string, schema: T): T =>
  marked(schema, { 'x-since': version });
/** Marks a property as known up to and with this microversion. */
export const until = <T extends TSchema>(version: string, schema: T): T =>
  marked(schema, { 'x-until': version });
/** A copy, hidden fields included: a schema may be shared by properties that are known from different versions on. */
const marked = <T extends TSchema>(schema: T, marks: object): T =>
  Object.assign(
    Object.create(Object.getPrototypeOf(schema) as object, Object.getOwnPropertyDescriptors(schema)) as T,
    marks,
  );
/** Marks a string as the id of an object, so that the cross-tenant matrix substitutes another tenant's. */
export const idOf = (resource: string): ReturnType<typeof Type.String> =>
  Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\x00-\\x1f\\x7f/]+$', 'x-ref': resource });

/** Text without control characters; 255 characters as in the OpenStack schemas. */
export const text = (maxLength = 255, minLength = 0): ReturnType<typeof Type.String> =>
  Type.String({ minLength, maxLength, pattern: '^[^\\x00-\\x1f\\x7f]*$' });
/** Text that may hold line breaks and tabs but no other control character. */
export const prose = (maxLength = 255): ReturnType<typeof Type.String> =>
  Type.String({ maxLength, pattern: '^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]*$' });
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const integer = (minimum: number, maximum: number): ReturnType<typeof Type.Integer> =>
  Type.Integer({ minimum, maximum });
/** An object that refuses unknown fields. */
export const strict = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

/** '2.52' -> 52: every service here has one major version. */
export const minorOf = (version: string): number => Number(version.slice(version.indexOf('.') + 1));

type Marked = {
  'x-since'?: string;
  'x-until'?: string;
  properties?: Record<string, Marked>;
  required?: string[];
  items?: Marked;
  anyOf?: Marked[];
  allOf?: Marked[];
};

const known = (schema: Marked, minor: number): boolean =>
  !(schema['x-since'] !== undefined && minor < minorOf(schema['x-since'])) &&
  !(schema['x-until'] !== undefined && minor > minorOf(schema['x-until']));

/** The plain JSON schema of a version: properties it does not know are gone. */
function schemaAt(schema: Marked, minor: number): Marked {
  const out: Marked = { ...schema };
  if (schema.properties !== undefined) {
    const kept = Object.entries(schema.properties).filter(([, property]) => known(property, minor));
    out.properties = Object.fromEntries(kept.map(([name, property]) => [name, schemaAt(property, minor)]));
    if (schema.required !== undefined)
      out.required = schema.required.filter((name) => name in (out.properties ?? {}));
  }
  if (schema.items !== undefined) out.items = schemaAt(schema.items, minor);
  if (schema.anyOf !== undefined)
    out.anyOf = schema.anyOf.filter((s) => known(s, minor)).map((s) => schemaAt(s, minor));
  if (schema.allOf !== undefined) out.allOf = schema.allOf.map((s) => schemaAt(s, minor));
  return out;
}

function versionSteps(schema: Marked, into: Set<number>): Set<number> {
  if (schema['x-since'] !== undefined) into.add(minorOf(schema['x-since']));
  if (schema['x-until'] !== undefined) into.add(minorOf(schema['x-until']) + 1);
  for (const child of Object.values(schema.properties ?? {})) versionSteps(child, into);
  if (schema.items !== undefined) versionSteps(schema.items, into);
  for (const child of [...(schema.anyOf ?? []), ...(schema.allOf ?? [])]) versionSteps(child, into);
  return into;
}

const show = (value: unknown): string => {
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
};

function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const key of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[key.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return value;
}

type SchemaError = { keyword: string; instancePath: string; params: unknown; message: string };

function explain(errors: SchemaError[], value: unknown, what: string): string {
  // The most specific complaint first: an anyOf or additionalProperties summary only where nothing else speaks.
  const unknown = errors.find((e) => e.keyword === 'additionalProperties');
  if (unknown !== undefined) {
    const names = (unknown.params as { additionalProperties?: string[] }).additionalProperties ?? [];
    const where =
      unknown.instancePath === '' ? what : `field ${unknown.instancePath.slice(1).replaceAll('/', '.')}`;
    return `Invalid input for ${where}. Additional properties are not allowed (${names
      .slice(0, 5)
      .map((n) => `'${n.slice(0, 60)}'`)
      .join(', ')} ${names.length === 1 ? 'was' : 'were'} unexpected).`;
  }
  const error = errors.find((e) => e.keyword !== 'anyOf' && e.keyword !== 'boolean') ?? errors[0];
  if (error === undefined) return `Invalid input for ${what}.`;
  if (error.keyword === 'required') {
    const names = (error.params as { requiredProperties?: string[] }).requiredProperties ?? [];
    return `Invalid input for ${error.instancePath === '' ? what : `field ${error.instancePath.slice(1).replaceAll('/', '.')}`}. ${names.map((n) => `'${n}'`).join(', ')} is a required property.`;
  }
  const alternatives = errors.filter((e) => e.instancePath === error.instancePath && e.keyword !== 'anyOf');
  const rule = [...new Set(alternatives.map((e) => e.message))].slice(0, 4).join(' or ');
  const field =
    error.instancePath === '' ? what : `field/attribute ${error.instancePath.slice(1).replaceAll('/', '.')}`;
  return `Invalid input for ${field}. Value: ${show(valueAt(value, error.instancePath))}. It ${rule}.`;
}

export type Check<T extends TSchema> = (value: unknown, minor: number, what: string) => Static<T>;

/**
 * Compiles `schema` to a check that returns the value, typed, or throws 400 with field, value and rule.
 * Compilation is lazy and shared by all microversions between two steps.
 */
export function checker<T extends TSchema>(schema: T): Check<T> {
  const steps = [...versionSteps(schema as Marked, new Set([0]))].sort((a, b) => a - b);
  const compiled = new Map<number, ReturnType<typeof Compile>>();
  return (value, minor, what) => {
    const step = steps.findLast((s) => s <= minor) ?? 0;
    let validator = compiled.get(step);
    if (validator === undefined) {
      validator = Compile(schemaAt(schema as Marked, step) as TSchema);
      compiled.set(step, validator);
    }
    if (validator.Check(value)) return value as Static<T>;
    throw badRequest(explain(validator.Errors(value) as SchemaError[], value, what));
  };
}

/** Turns query strings into what the schema's property asks for; leaves what does not parse for the check to refuse. */
export function coerceQuery(
  schema: TSchema,
  query: Readonly<Record<string, string | string[]>>,
): Record<string, unknown> {
  const properties = (schema as { properties?: Record<string, { type?: string }> }).properties ?? {};
  const out: Record<string, unknown> = {};
  for (const [name, raw] of Object.entries(query)) {
    if (!Object.hasOwn(properties, name)) {
      if (
        (schema as { additionalProperties?: unknown }).additionalProperties !== undefined &&
        name !== '__proto__'
      )
        out[name] = raw;
      continue; // what a list does not filter by is ignored, as OpenStack does
    }
    const type = properties[name]?.type;
    if (type === 'array') out[name] = Array.isArray(raw) ? raw : [raw];
    else {
      const last = Array.isArray(raw) ? (raw.at(-1) ?? '') : raw;
      if (type === 'integer' || type === 'number')
        out[name] = /^-?\d{1,15}$/.test(last) ? Number(last) : last;
      else if (type === 'boolean')
        out[name] = /^(true|1|yes|on|t|y)$/i.test(last)
          ? true
          : /^(false|0|no|off|f|n)$/i.test(last)
            ? false
            : last;
      else out[name] = last;
    }
  }
  return out;
}
