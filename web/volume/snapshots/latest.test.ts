// To which snapshots a volume can go back.
import { expect, test } from 'vitest';
import type { Snapshot } from './api.ts';
import { latestOf } from './latest.ts';

const snapshot = (id: string, volume: string, created: string): Snapshot =>
  ({ id, volume_id: volume, created_at: created }) as Snapshot;

test('the latest of each volume', () => {
  const latest = latestOf([
    snapshot('a', 'v', '2026-11-21T10:00:00.000000'),
    snapshot('b', 'v', '2026-11-21T11:00:00.000000'),
    snapshot('c', 'w', '2026-11-20T10:00:00.000000'),
  ]);
  expect([...latest]).toEqual(['b', 'c']);
});
