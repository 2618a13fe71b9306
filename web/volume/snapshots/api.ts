// Snapshots as the volume API tells of them, and the calls that change them.
import { queryOptions } from '@tanstack/react-query';
import { all, api } from '../../kit/api.ts';
import { livePace } from '../../kit/live.ts';
import { act, volumePath } from '../volumes/api.ts';

export type Snapshot = {
  id: string;
  name: string | null;
  description: string | null;
  status: string;
  /** GiB. */
  size: number;
  volume_id: string;
  metadata: Readonly<Record<string, string>>;
  group_snapshot_id: string | null;
  created_at: string;
  'os-extended-snapshot-attributes:progress': string;
  'os-extended-snapshot-attributes:project_id': string;
};

export const snapshotsQuery = (everywhere: boolean) =>
  queryOptions({
    queryKey: ['snapshots', 'list', everywhere],
    queryFn: ({ signal }) =>
      all<Snapshot>(
        volumePath('/snapshots/detail'),
        'snapshots',
        everywhere ? { all_tenants: true } : {},
        signal,
      ),
    refetchInterval: ({ state }) => livePace((state.data ?? []).map(({ status }) => status)),
  });

/** Newest first. */
export const listSnapshotsOf = (volume: string, signal?: AbortSignal): Promise<Snapshot[]> =>
  all<Snapshot>(
    volumePath('/snapshots/detail'),
    'snapshots',
    { volume_id: volume, all_tenants: true },
    signal,
  );

export const snapshotsOfQuery = (volume: string) =>
  queryOptions({
    queryKey: ['snapshots', 'of', volume],
    queryFn: ({ signal }) => listSnapshotsOf(volume, signal),
    refetchInterval: ({ state }) => livePace((state.data ?? []).map(({ status }) => status)),
  });

export const createSnapshot = (
  volume: string,
  { name, description }: { name?: string; description?: string },
): Promise<void> =>
  api.post(volumePath('/snapshots'), {
    snapshot: {
      volume_id: volume,
      ...(name ? { name } : {}),
      ...(description ? { description } : {}),
    },
  });

export const updateSnapshot = (id: string, snapshot: { name: string; description: string }): Promise<void> =>
  api.put(volumePath(`/snapshots/${id}`), { snapshot });

export const setSnapshotMetadata = (id: string, metadata: Record<string, string>): Promise<void> =>
  api.put(volumePath(`/snapshots/${id}/metadata`), { metadata });

export const deleteSnapshot = (id: string): Promise<void> => api.delete(volumePath(`/snapshots/${id}`));

/** Only to the latest one, of a volume that is free. */
export const revertTo = ({ id, volume_id: volume }: Snapshot): Promise<void> =>
  act(volume, 'revert', { snapshot_id: id });
