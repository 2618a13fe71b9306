// What is read from a server as the API shows it.
import { describe, expect, test } from 'vitest';
import { BUSY_MS, CALM_MS, livePace } from '../../kit/live.ts';
import {
  addressesOf,
  livelyState,
  paceFor,
  powerOf,
  typeOf,
  typeOfImage,
  type ServerAddress,
} from './server.ts';

const address = (addr: string, version: 4 | 6, type: 'fixed' | 'floating'): ServerAddress => ({
  addr,
  version,
  'OS-EXT-IPS:type': type,
});

describe('a server', () => {
  test('is a container by its image, by format or by property', () => {
    expect(typeOfImage({ container_format: 'docker' })).toBe('container');
    expect(typeOfImage({ container_format: 'bare', 'strata:type': 'container' })).toBe('container');
    expect(typeOfImage({ container_format: 'bare' })).toBe('vm');
  });

  test('is of a type that nobody knows when its image is gone, and a VM when it boots from a volume', () => {
    expect(typeOf({ image: { id: 'gone' } }, new Map())).toBeNull();
    expect(typeOf({ image: '' }, new Map())).toBe('vm');
  });

  test('shows fixed addresses before floating ones, and IPv4 before IPv6', () => {
    const addresses = {
      b: [address('203.0.113.9', 4, 'floating'), address('fd00::1', 6, 'fixed')],
      a: [address('10.0.0.2', 4, 'fixed')],
    };
    expect(addressesOf({ addresses }).map(({ addr }) => addr)).toEqual([
      '10.0.0.2',
      'fd00::1',
      '203.0.113.9',
    ]);
  });

  test('has the power that Nova writes as a number', () => {
    expect([1, 4, 6, 99].map((state) => powerOf({ 'OS-EXT-STS:power_state': state }))).toEqual([
      'running',
      'off',
      'crashed',
      'none',
    ]);
  });

  test('is asked for often while a task is under way, also where its status is at rest', () => {
    const pace = (task: string | null): number =>
      livePace([livelyState({ status: 'ACTIVE', 'OS-EXT-STS:task_state': task })]);
    expect([pace('powering-off'), pace(null)]).toEqual([BUSY_MS, CALM_MS]);
    expect(paceFor(BUSY_MS, 10)).toBe(BUSY_MS);
    expect(paceFor(BUSY_MS, 1000)).toBe(5_000);
  });
});
