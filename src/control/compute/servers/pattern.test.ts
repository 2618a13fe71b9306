// Patterns against the language's own regular expressions, and those that bring the language's own to a stand.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matcherOf } from './pattern.ts';

test('patterns mean what they mean elsewhere', () => {
  const cases: [pattern: string, hits: string[], misses: string[]][] = [
    ['^.*\\-instance\\-[0-9]+$', ['web-instance-12', '-instance-0'], ['web-instance-', 'webinstance-1']],
    ['^(web|db)-\\d{2,3}$', ['web-01', 'DB-123'], ['web-1', 'mail-01', 'web-0123']],
    ['a+b?c*$', ['a', 'xaab', 'abcc'], ['b', 'acb']],
    ['[^a-z]', ['1', 'a1'], ['abc', '']],
    ['', ['', 'anything'], []],
    ['^$', [''], ['a']],
    ['[]x]', [']', 'x'], ['y']],
    ['a{0}b', ['b'], ['a']],
  ];
  for (const [pattern, hits, misses] of cases) {
    const matches = matcherOf(pattern, 'name');
    for (const text of hits) expect(matches(text), `${pattern} in ${text}`).toBe(true);
    for (const text of misses) expect(matches(text), `${pattern} in ${text}`).toBe(false);
  }
});

test('what is not a pattern is refused with the reason', () => {
  for (const pattern of [
    '*a',
    '(a',
    'a)',
    '[a',
    'a\\',
    'a{3,2}',
    '(?=a)',
    '\\b',
    '[z-a]',
    '((a{99}){99}){99}',
  ])
    expect(() => matcherOf(pattern, 'name'), pattern).toThrow('Invalid filter name=');
});

test('every pattern of this language agrees with the own ones', () => {
  const atom = fc.oneof(
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '1', '-'),
    fc.constantFrom('(a|b)', '(ab)', '(?:a|)', '(b1|-)'),
  );
  const piece = fc
    .tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}', '{1,2}', '{1,}'))
    .map((p) => p.join(''));
  const pattern = fc
    .tuple(fc.constantFrom('', '^'), fc.array(piece, { maxLength: 5 }), fc.constantFrom('', '$'))
    .map(([start, pieces, end]) => start + pieces.join('') + end);
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (source, value) => {
      expect(matcherOf(source, 'name')(value)).toBe(new RegExp(source, 'i').test(value));
    }),
    { numRuns: 2000 },
  );
});

test('a pattern that doubles its ways with every letter ends', () => {
  expect(matcherOf('^(a+)+$', 'name')(`${'a'.repeat(200)}!`)).toBe(false);
});
