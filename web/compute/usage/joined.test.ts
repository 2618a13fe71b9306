// Usage that comes in pages.
import { expect, it } from 'vitest';
import type { Usage } from './api.ts';
import { joined } from './joined.ts';

const usage = (tenant_id: string, each: number): Usage => ({
  tenant_id,
  total_hours: each,
  total_vcpus_usage: each,
  total_memory_mb_usage: each,
  total_local_gb_usage: each,
});

it('adds up what a project had on several pages', () => {
  expect(joined([usage('a', 1), usage('b', 2), usage('a', 3)])).toEqual([usage('a', 4), usage('b', 2)]);
});
