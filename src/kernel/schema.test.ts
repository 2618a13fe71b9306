// Schemas of requests: microversion steps, messages that name field, value and rule, and query coercion.
import fc from 'fast-check';
import { Type } from 'typebox';
import { expect, it } from 'vitest';
import {
  checker,
  coerceQuery,
  idOf,
  integer,
  nullable,
  prose,
  since,
  strict,
  text,
  until,
} from './schema.ts';

const message = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

it('knows a property exactly between its versions', () => {
  const check = checker(
    strict({
      a: Type.Optional(since('2.10', until('2.20', text()))),
      deep: Type.Optional(Type.Array(strict({ b: since('2.15', text()) }))),
    }),
  );
  for (let minor = 0; minor < 30; minor++) {
    expect([minor, message(() => check({ a: 'x' }, minor, 'body')) === 'accepted']).toEqual([
      minor,
      minor >= 10 && minor <= 20,
    ]);
    expect([minor, message(() => check({ deep: [{ b: 'x' }] }, minor, 'body')) === 'accepted']).toEqual([
      minor,
      minor >= 15,
    ]);
    // Required only where it is known.
    expect([minor, message(() => check({ deep: [{}] }, minor, 'body')) === 'accepted']).toEqual([
      minor,
      minor < 15,
    ]);
  }
});

it('marks a copy, so that a schema may be shared', () => {
  const name = Type.Optional(text());
  const check = checker(strict({ always: name, later: since('2.5', name) }));
  expect(message(() => check({ always: 'x' }, 1, 'body'))).toBe('accepted');
  expect(message(() => check({}, 1, 'body'))).toBe('accepted');
  expect(message(() => check({}, 9, 'body'))).toBe('accepted');
  expect(message(() => check({ later: 'x' }, 1, 'body'))).toContain("'later' was unexpected");
});

it('names field, value and rule', () => {
  const check = checker(
    strict({
      server: strict({
        name: text(5, 1),
        count: Type.Optional(integer(1, 9)),
        note: Type.Optional(nullable(text(3))),
      }),
    }),
  );
  const of = (value: unknown): string => message(() => check(value, 0, 'body'));
  expect(of({ server: { name: '' } })).toMatch(/attribute server\.name\. Value: ""\. It must/);
  expect(of({ server: { name: 'a', count: 99 } })).toMatch(
    /attribute server\.count\. Value: 99\. It must be <= 9/,
  );
  expect(of({ server: { name: 'a', note: 'long' } })).toMatch(/server\.note\. Value: "long"\. It .*null/);
  expect(of({ server: { name: 'a', x: 1 } })).toContain("'x' was unexpected");
  expect(of({ server: {} })).toContain("'name' is a required property");
  expect(of(undefined)).toContain('Invalid input for body');
  expect(of({ server: { name: 'x'.repeat(10_000) } }).length).toBeLessThan(400);
});

it('refuses control characters where text must have none', () => {
  const [one, many, id] = [
    checker(strict({ v: text() })),
    checker(strict({ v: prose() })),
    checker(strict({ v: idOf('server') })),
  ];
  const ok = (check: typeof one, v: string): boolean => message(() => check({ v }, 0, 'body')) === 'accepted';
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0x1f }), (code) => {
      const value = `a${String.fromCharCode(code)}b`;
      expect([ok(one, value), ok(id, value), ok(many, value)]).toEqual([
        false,
        false,
        code === 9 || code === 10 || code === 13,
      ]);
    }),
  );
  expect([ok(one, 'a\u007fb'), ok(id, 'a/b'), ok(id, ''), ok(one, 'a\n')]).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

it('turns query strings into what the schema asks for, and leaves the rest for the check to refuse', () => {
  const schema = Type.Object({
    n: Type.Optional(integer(0, 9)),
    b: Type.Optional(Type.Boolean()),
    many: Type.Optional(Type.Array(text())),
    either: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b')])),
    s: Type.Optional(text()),
  });
  expect(
    coerceQuery(schema, { n: '7', b: 'True', many: 'x', either: 'c', s: ['1', '2'], unknown: '1' }),
  ).toEqual({ n: 7, b: true, many: ['x'], either: 'c', s: '2' });
  expect(coerceQuery(schema, { n: '1e3', b: 'maybe' })).toEqual({ n: '1e3', b: 'maybe' });
  expect(
    message(() => checker(schema)(coerceQuery(schema, { either: 'c' }), 0, 'query parameters')),
  ).toContain('either');
  expect(coerceQuery(Type.Object({}), { constructor: 'x', toString: 'y' })).toEqual({});
});
