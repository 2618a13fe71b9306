// What can be claimed of a host.
import { expect, it } from 'vitest';
import type { Host } from './api.ts';
import { capacityOf } from './claimable.ts';

const host = { vcpus: 4, vcpus_used: 6, memory_mb: 4096, memory_mb_used: 1024 } as Host;

it('capacity is what the host has, less what it keeps, times how often it may be given', () => {
  const inventories = {
    VCPU: { total: 4, reserved: 0, allocation_ratio: 16 },
    MEMORY_MB: { total: 4096, reserved: 512, allocation_ratio: 1 },
  };
  expect(capacityOf(host, 'VCPU', inventories)).toEqual({ used: 6, physical: 4, total: 64 });
  expect(capacityOf(host, 'MEMORY_MB', inventories)).toEqual({ used: 1024, physical: 4096, total: 3584 });
  expect(capacityOf(host, 'VCPU', undefined)).toEqual({ used: 6, physical: 4, total: 4 });
});
