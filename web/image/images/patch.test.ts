// What a form sends.
import { expect, test } from 'vitest';
import { patchBetween } from './patch.ts';

test('only what changed is sent', () => {
  const before = { name: 'a', tags: ['x'], protected: false, hw_disk_bus: 'virtio', 'odd/name~': '1' };
  const after = { name: 'b', tags: ['x'], protected: false, os_type: 'linux' };
  expect(patchBetween(before, after)).toEqual([
    { op: 'remove', path: '/hw_disk_bus' },
    { op: 'remove', path: '/odd~1name~0' },
    { op: 'add', path: '/name', value: 'b' },
    { op: 'add', path: '/os_type', value: 'linux' },
  ]);
});

test('a form that changed nothing sends nothing', () => {
  expect(patchBetween({ name: 'a', tags: ['x', 'y'] }, { name: 'a', tags: ['x', 'y'] })).toEqual([]);
});
