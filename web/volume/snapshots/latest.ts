// A volume goes back to its latest snapshot only.
import type { Snapshot } from './api.ts';

/** The ids of the latest snapshot of each volume. */
export function latestOf(snapshots: readonly Snapshot[]): ReadonlySet<string> {
  const latest = new Map<string, Snapshot>();
  for (const snapshot of snapshots) {
    const best = latest.get(snapshot.volume_id);
    if (best === undefined || snapshot.created_at > best.created_at) latest.set(snapshot.volume_id, snapshot);
  }
  return new Set([...latest.values()].map(({ id }) => id));
}
