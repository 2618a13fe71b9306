// A route that forgets its policy or what one of its path parameters names must not type-check: `tsc` fails on an
// unused @ts-expect-error, so these lines are the test.
import { expect, expectTypeOf, it } from 'vitest';
import { Type } from 'typebox';
import { route, type ParamNames } from './route.ts';

const handler = async () => ({});

it('needs a policy', () => {
  // @ts-expect-error: there is no policy
  expect(route({ method: 'GET', path: '/x', summary: '', handler })).toBeDefined();
});

it('needs to say what every path parameter names', () => {
  const common = { method: 'GET', policy: 'p', summary: '', handler } as const;
  // @ts-expect-error: b is not named
  expect(route({ ...common, path: '/x/:a/y/:b', ids: { a: 'server' } })).toBeDefined();
  // @ts-expect-error: none is named
  expect(route({ ...common, path: '/x/:a' })).toBeDefined();
  // @ts-expect-error: there is no parameter of that name
  expect(route({ ...common, path: '/x', ids: { a: 'server' } })).toBeDefined();
  const named = route({ ...common, path: '/x/:a/y/:b', ids: { a: 'server', b: 'none' } });
  expect(named.ids).toEqual({ a: 'server', b: 'none' });
});

it('types parameters, query and body by path and schemas', () => {
  expectTypeOf<ParamNames<'/x/:a/y/:b'>>().toEqualTypeOf<'a' | 'b'>();
  route({
    method: 'POST',
    path: '/x/:a',
    ids: { a: 'server' },
    policy: 'p',
    summary: '',
    query: Type.Object({ n: Type.Integer() }),
    body: Type.Object({ s: Type.String() }),
    async handler({ params, query, body }) {
      expectTypeOf(params).toEqualTypeOf<Record<'a', string>>();
      expectTypeOf(query.n).toBeNumber();
      expectTypeOf(body.s).toBeString();
      return {};
    },
  });
});
