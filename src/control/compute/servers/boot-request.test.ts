// The pure rules of a create and of list filters.
import { expect, test } from 'vitest';
import { explain, guestProperties, hostnameOf, typeOf } from './boot-request.ts';
import { likeOf } from './filters.ts';

test('a host name is made of a display name as Nova makes it', () => {
  expect(hostnameOf('My Server_1', 'x')).toBe('my-server-1');
  expect(hostnameOf('..-Web.Example.com-.', 'x')).toBe('web-example-com');
  expect(hostnameOf('测试', 'abc')).toBe('server-abc');
  expect(hostnameOf('a'.repeat(100), 'x')).toHaveLength(63);
});

test('the explanation names counts by filter and examples by host', () => {
  expect(
    explain({
      considered: 3,
      refused: { state: 1, memory: 2, zone: 0 },
      examples: [{ host: 'n1', filter: 'memory', reason: 'memory 512 MiB requested, 1 of 2 MiB free' }],
      scores: {},
    }),
  ).toBe(
    'No valid host was found. There are not enough hosts available: 3 considered, refused by state 1, memory 2. n1: memory 512 MiB requested, 1 of 2 MiB free.',
  );
  expect(explain({ considered: 0, refused: {}, examples: [], scores: {} })).toContain('There are no hosts');
});

test('an image is a container by its format or its property', () => {
  expect(typeOf({ containerFormat: 'docker', properties: {} })).toBe('container');
  expect(typeOf({ containerFormat: 'bare', properties: { 'strata:type': 'container' } })).toBe('container');
  expect(typeOf({ containerFormat: 'bare', properties: {} })).toBe('vm');
});

test('only printable properties of known families reach the guest', () => {
  const image = {
    properties: {
      hw_disk_bus: 'virtio',
      os_type: 'linux',
      owner: 'me',
      hw_bad: 'a\nb',
      'hw_x y': '1',
      'strata:init': '/init',
    },
  };
  const specs = { 'hw:cpu_policy': 'dedicated', 'trait:x': 'required' };
  expect(guestProperties(image, specs)).toEqual({
    hw_disk_bus: 'virtio',
    os_type: 'linux',
    'strata:init': '/init',
    'hw:cpu_policy': 'dedicated',
  });
});

test('patterns become LIKE patterns, wildcards are literal, and what a database cannot do safely is refused', () => {
  expect(likeOf('web', 'name')).toBe('%web%');
  expect(likeOf('^Web$', 'name')).toBe('web');
  expect(likeOf('50%_!', 'name')).toBe('%50!%!_!!%');
  expect(likeOf('a.b', 'name')).toBe('%a_b%');
  expect(likeOf('a\\.b', 'name')).toBe('%a.b%');
  expect(likeOf('a.*b.+c', 'name')).toBe('%a%b_%c%');
  expect(likeOf('10.0', 'ip', true)).toBe('10_0%');
  for (const bad of ['(a+)+', '[a', 'a|b', 'a{2}', 'a*', 'a^b', 'a$b'])
    expect(() => likeOf(bad, 'name')).toThrow('is not supported');
});
