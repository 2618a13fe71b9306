// What a host's report changes in a server's row, and what it must not.
import { expect, test } from 'vitest';
import type { HostReport } from '../../host/index.ts';
import { changesOf } from './reconcile.ts';
import type { ServerRow } from './table.ts';

const row = {
  id: 's',
  host_id: 'h',
  power: 'running',
  desired_version: 2,
  compiled_version: 2,
  item_generation: 5,
  observed_version: 2,
  observed_generation: 5,
  observed_power: 'running',
  observed_reboot_count: 1,
  reboot_count: 1,
  error: null,
  error_at: null,
  launched_at: 1,
  deleting: 0,
} as ServerRow;
const report = (more: Partial<HostReport> = {}): HostReport => ({
  kind: 'server',
  id: 's',
  hostId: 'h',
  generation: 5,
  state: 'applied',
  error: null,
  power: 'running',
  rebootCount: 1,
  ...more,
});

test('a report that says nothing new changes nothing', () => {
  expect(changesOf(row, report(), 9)).toBeNull();
});

test('a report of an older generation tells the power, but neither settles nor fails the server', () => {
  const waiting = {
    ...row,
    desired_version: 3,
    compiled_version: 3,
    item_generation: 6,
    power: 'stopped',
  } as ServerRow;
  expect(changesOf(waiting, report({ power: 'paused' }), 9)).toEqual({ observed_power: 'paused' });
  expect(changesOf(waiting, report({ state: 'failed', error: 'old news' }), 9)).toBeNull();
});

test('a verb that is not compiled yet stays under way whatever is reported', () => {
  const asked = { ...row, desired_version: 3, power: 'stopped' } as ServerRow;
  expect(changesOf(asked, report(), 9)).toBeNull();
});

test('a failure is kept with its time, and a later success clears it', () => {
  expect(changesOf(row, report({ state: 'failed', error: 'disk full', power: 'running' }), 9)).toEqual({
    error: 'disk full',
    error_at: 9,
  });
  expect(changesOf({ ...row, error: 'disk full', error_at: 9 }, report(), 10)).toEqual({
    error: null,
    error_at: null,
  });
});

test('the first time it runs is when it was launched', () => {
  expect(changesOf({ ...row, launched_at: null, observed_power: null }, report(), 9)).toEqual({
    observed_power: 'running',
    launched_at: 9,
  });
});

test('a guest that ended by itself is wanted stopped from then on, unless it is being deleted or restarted', () => {
  expect(changesOf(row, report({ power: 'crashed' }), 9)).toEqual({
    observed_power: 'crashed',
    power: 'stopped',
    desired_version: 3,
  });
  expect(changesOf({ ...row, deleting: 1 }, report({ power: 'stopped' }), 9)).toEqual({
    observed_power: 'stopped',
  });
  expect(changesOf({ ...row, desired_version: 3 }, report({ power: 'stopped' }), 9)).toEqual({
    observed_power: 'stopped',
  });
});
