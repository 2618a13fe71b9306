// What an access rule lets through, and the spellings by which somebody might get past it.
import { expect, it } from 'vitest';
import fc from 'fast-check';
import { isAllowed, type AccessRule } from './access-rules.ts';

const nova = { type: 'compute', prefix: '/compute' };
const cinder = { type: 'block-storage', typeAliases: ['volumev3'], prefix: '/volume' };
const rule = (path: string, method = 'GET', service = 'compute'): AccessRule => ({ path, method, service });
const get = (rules: AccessRule[], path: string, method = 'GET'): boolean =>
  isAllowed(rules, nova, method, path);

it('is about one method of one service', () => {
  const rules = [rule('/v2.1/servers')];
  expect(get(rules, '/compute/v2.1/servers')).toBe(true);
  expect(get(rules, '/compute/v2.1/servers', 'POST')).toBe(false);
  expect(get(rules, '/compute/v2.1/servers', 'HEAD')).toBe(false);
  expect(isAllowed(rules, cinder, 'GET', '/volume/v2.1/servers')).toBe(false);
  expect(isAllowed([rule('/v3/*/volumes', 'GET', 'volumev3')], cinder, 'GET', '/volume/v3/p1/volumes')).toBe(
    true,
  );
  expect(get([], '/compute/v2.1/servers')).toBe(false);
});

it('may name the path with the prefix of the service or below it', () => {
  expect(get([rule('/compute/v2.1/servers')], '/compute/v2.1/servers')).toBe(true);
});

it('takes * and {name} for one segment and ** for any number of them', () => {
  const one = [rule('/v2.1/servers/*/ips')];
  expect(get(one, '/compute/v2.1/servers/abc/ips')).toBe(true);
  expect(get(one, '/compute/v2.1/servers/abc/def/ips')).toBe(false);
  expect(get(one, '/compute/v2.1/servers//ips')).toBe(false);
  expect(get([rule('/v2.1/servers/{server_id}/ips')], '/compute/v2.1/servers/abc/ips')).toBe(true);
  const all = [rule('/v2.1/servers/**')];
  expect(get(all, '/compute/v2.1/servers/abc/os-interface/x')).toBe(true);
  expect(get(all, '/compute/v2.1/servers')).toBe(false);
  expect(get(all, '/compute/v2.1/flavors/abc')).toBe(false);
});

it('takes * for a part of a segment too, at least one character', () => {
  const rules = [rule('/v2.1/a*b*c')];
  expect(get(rules, '/compute/v2.1/aXbYc')).toBe(true);
  expect(get(rules, '/compute/v2.1/abc')).toBe(false);
  expect(get(rules, '/compute/v2.1/aXbc')).toBe(false);
  expect(get(rules, '/compute/v2.1/aXbYcd')).toBe(false);
});

it('takes nothing else in a rule for a pattern', () => {
  const rules = [rule('/v2.1/servers')];
  expect(get(rules, '/compute/v2x1/servers')).toBe(false);
  expect(get([rule('/v2.1/(a|b)+')], '/compute/v2.1/a')).toBe(false);
});

it('is not got past by another spelling of an address', () => {
  const rules = [rule('/v2.1/servers/*')];
  for (const path of [
    '/compute/v2.1/servers/abc%2Faction',
    '/compute/v2.1/servers/abc/../../flavors',
    '/compute/v2.1/flavors/abc',
    '/compute/v2.1/servers/%zz',
  ])
    expect(get(rules, path), path).toBe(false);
  expect(get(rules, '/compute//v2.1/servers/abc/')).toBe(true);
});

it('never lets a longer or shorter path through than a rule without ** has', () => {
  const segment = fc.stringMatching(/^[a-z0-9*{}.-]{1,8}$/).filter((text) => text !== '**');
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      fc.array(fc.stringMatching(/^[a-z0-9]{1,6}$/), { maxLength: 6 }),
      (pattern, path) => {
        const passes = get([rule(`/${pattern.join('/')}`)], `/compute/${path.join('/')}`);
        return !passes || path.length === pattern.length || path.length + 1 === pattern.length;
      },
    ),
  );
});
