// Regular expressions of users, matched in time proportional to pattern times text: a machine that is in all its
// states at once never goes back, so that no expression makes the control plane run for ever. What it knows:
// literals, `.`, classes, `\d \w \s`, groups, `|`, `* + ? {m,n}`, `^` and `$`. Letters match in either case, as in the
// databases that Nova leaves this to.
import { badRequest } from '../../../kernel/errors.ts';

type Test = (char: string) => boolean;
type Step =
  | { do: 'char'; test: Test }
  | { do: 'split'; to: readonly [number, number] }
  | { do: 'jump'; to: number }
  | { do: 'start' }
  | { do: 'end' }
  | { do: 'match' };
/** Positions in a fragment are relative to its first step. */
type Fragment = Step[];

const MAX_STEPS = 4000;
const classes: Readonly<Record<string, RegExp>> = { d: /[0-9]/, w: /[A-Za-z0-9_]/, s: /\s/ };

const literal = (char: string): Test => {
  const wanted = char.toLowerCase();
  return (other) => other.toLowerCase() === wanted;
};
/** `\d`, `\D`, ...; null: not a class. */
function classOf(letter: string): Test | null {
  const known = classes[letter.toLowerCase()];
  if (known === undefined || letter === '') return null;
  return letter === letter.toLowerCase() ? (char) => known.test(char) : (char) => !known.test(char);
}

const shift = (fragment: Fragment, by: number): Fragment =>
  fragment.map((step) =>
    step.do === 'split'
      ? { do: 'split', to: [step.to[0] + by, step.to[1] + by] }
      : step.do === 'jump'
        ? { do: 'jump', to: step.to + by }
        : step,
  );
const then = (a: Fragment, b: Fragment): Fragment => [...a, ...shift(b, a.length)];
const either = (a: Fragment, b: Fragment): Fragment => [
  { do: 'split', to: [1, a.length + 2] },
  ...shift(a, 1),
  { do: 'jump', to: a.length + b.length + 2 },
  ...shift(b, a.length + 2),
];
const maybe = (a: Fragment): Fragment => [{ do: 'split', to: [1, a.length + 1] }, ...shift(a, 1)];
const star = (a: Fragment): Fragment => [
  { do: 'split', to: [1, a.length + 2] },
  ...shift(a, 1),
  { do: 'jump', to: 0 },
];

function parse(source: string, refuse: (why: string) => Error): Fragment {
  let at = 0;
  const checked = (fragment: Fragment): Fragment => {
    if (fragment.length > MAX_STEPS) throw refuse('it repeats too much');
    return fragment;
  };

  function bracket(): Test {
    const tests: Test[] = [];
    const negated = source[at] === '^';
    if (negated) at += 1;
    const first = at;
    for (;;) {
      const char = source[at];
      if (char === undefined) throw refuse("a '[' is not closed");
      at += 1;
      if (char === ']' && at - 1 > first) break;
      if (char === '\\') {
        const escaped = source[at] ?? '';
        at += 1;
        tests.push(classOf(escaped) ?? literal(escaped));
        continue;
      }
      const to = source[at + 1];
      if (source[at] === '-' && to !== undefined && to !== ']') {
        at += 2;
        if (to < char) throw refuse(`the range ${char}-${to} is empty`);
        tests.push((one) =>
          [one.toLowerCase(), one.toUpperCase()].some((each) => each >= char && each <= to),
        );
      } else tests.push(literal(char));
    }
    return (char) => tests.some((test) => test(char)) !== negated;
  }

  function atom(): Fragment {
    const char = source[at] ?? '';
    at += 1;
    if (char === '(') {
      if (source.startsWith('?:', at)) at += 2;
      else if (source[at] === '?') throw refuse('look-around is not supported');
      const inner = alternatives();
      if (source[at] !== ')') throw refuse("a '(' is not closed");
      at += 1;
      return inner;
    }
    if (char === '[') return [{ do: 'char', test: bracket() }];
    if (char === '.') return [{ do: 'char', test: () => true }];
    if (char === '^') return [{ do: 'start' }];
    if (char === '$') return [{ do: 'end' }];
    if (char === '*' || char === '+' || char === '?') throw refuse(`there is nothing before '${char}'`);
    if (char !== '\\') return [{ do: 'char', test: literal(char) }];
    const escaped = source[at] ?? '';
    at += 1;
    if (escaped === '') throw refuse("it ends in '\\'");
    const known = classOf(escaped);
    if (known === null && /[A-Za-z0-9]/.test(escaped)) throw refuse(`'\\${escaped}' is not supported`);
    return [{ do: 'char', test: known ?? literal(escaped) }];
  }

  function repeated(one: Fragment): Fragment {
    const char = source[at];
    const bounds = char === '{' ? /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(source.slice(at)) : null;
    if (char === '*' || char === '+' || char === '?') {
      at += 1;
      return char === '*' ? star(one) : char === '?' ? maybe(one) : then(one, star(one));
    }
    if (bounds === null) return one;
    at += bounds[0].length;
    const least = Number(bounds[1]);
    const most = bounds[2] === undefined ? least : bounds[3] === '' ? null : Number(bounds[3]);
    if (most !== null && most < least) throw refuse(`${bounds[0]} is empty`);
    let out: Fragment = [];
    for (let count = 0; count < least; count += 1) out = checked(then(out, one));
    if (most === null) return then(out, star(one));
    for (let count = least; count < most; count += 1) out = checked(then(out, maybe(one)));
    return out;
  }

  function sequence(): Fragment {
    let out: Fragment = [];
    while (at < source.length && source[at] !== '|' && source[at] !== ')')
      out = checked(then(out, repeated(atom())));
    return out;
  }
  function alternatives(): Fragment {
    let out = sequence();
    while (source[at] === '|') {
      at += 1;
      out = checked(either(out, sequence()));
    }
    return out;
  }

  const whole = alternatives();
  if (at < source.length) throw refuse("a ')' is not opened");
  return [...whole, { do: 'match' }];
}

/** Whether the pattern occurs in a text. 400 for what is not a pattern, naming `field`. */
export function matcherOf(source: string, field: string): (text: string) => boolean {
  const program = parse(source, (why) =>
    badRequest(`Invalid filter ${field}=${source.slice(0, 100)}: ${why}.`),
  );
  return (text) => {
    const chars = [...text];
    let states = new Set<number>();
    for (let at = 0; at <= chars.length; at += 1) {
      // It may begin anywhere; a set is walked in the order of insertion, so that what is added is met too.
      states.add(0);
      const next = new Set<number>();
      for (const state of states) {
        const step = program[state];
        if (step === undefined || step.do === 'match') return true;
        if (step.do === 'jump') states.add(step.to);
        else if (step.do === 'split') for (const to of step.to) states.add(to);
        else if (step.do === 'start' ? at === 0 : step.do === 'end' ? at === chars.length : false)
          states.add(state + 1);
        else if (step.do === 'char' && at < chars.length && step.test(chars[at] ?? '')) next.add(state + 1);
      }
      states = next;
    }
    return false;
  };
}
