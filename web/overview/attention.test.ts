// What needs attention, and what comes next.
import { expect, it } from 'vitest';
import type { Host } from '../compute/hypervisors/api.ts';
import { needsOf, nextForServer } from './attention.ts';

const host = (name: string, state: Host['state'], status: Host['status']) =>
  ({
    id: name,
    hypervisor_hostname: name,
    state,
    status,
    service: { id: name, host: name, disabled_reason: status === 'disabled' ? 'repair' : null },
  }) as Host;
const nothing = { server: [], volume: [], router: [], floatingIp: [], image: [] };

it('a fault of a server says which step is next', () => {
  expect(nextForServer('No valid host was found. There are not enough hosts available')).toBe('noHost');
  expect(nextForServer('The guest crashed three times in ten minutes.')).toBe('crashed');
  expect(nextForServer('anything else')).toBe('server');
  expect(nextForServer(null)).toBe('server');
});

it('lists what failed before what is nearly full, and nothing where all is well', () => {
  const needs = needsOf({
    failed: {
      ...nothing,
      server: [{ id: 's', name: 'web', reason: 'No valid host was found.' }],
      volume: [{ id: 'v', name: 'data', reason: null }],
    },
    quotas: [
      { name: 'instances', limit: 10, used: 8 },
      { name: 'cores', limit: 20, used: 15 },
      { name: 'key_pairs', limit: 1, used: null },
      { name: 'port', limit: -1, used: 900 },
    ],
    hosts: [host('a', 'up', 'disabled'), host('b', 'down', 'disabled'), host('c', 'up', 'enabled')],
  });
  expect(needs.map(({ kind, id, next }) => [kind, id, next])).toEqual([
    ['host', 'b', 'hostDown'],
    ['server', 's', 'noHost'],
    ['volume', 'v', 'volume'],
    ['quota', 'instances', 'quota'],
    ['host', 'a', 'hostDisabled'],
  ]);
  expect(needsOf({ failed: nothing, quotas: [], hosts: [host('c', 'up', 'enabled')] })).toEqual([]);
});
