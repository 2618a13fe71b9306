// Backups of volumes as the volume API tells of them, and the calls that change them.
import { queryOptions } from '@tanstack/react-query';
import { all, api } from '../../kit/api.ts';
import { livePace } from '../../kit/live.ts';
import { volumePath } from '../volumes/api.ts';

export type Backup = {
  id: string;
  name: string | null;
  description: string | null;
  status: string;
  /** GiB of the volume. */
  size: number;
  /** Of the store. */
  container: string;
  object_count: number;
  volume_id: string;
  snapshot_id: string | null;
  is_incremental: boolean;
  has_dependent_backups: boolean;
  fail_reason: string | null;
  created_at: string;
  /** When the volume was as the backup has it. */
  data_timestamp: string;
  'os-backup-project-attr:project_id'?: string;
};

export const backupsQuery = (everywhere: boolean) =>
  queryOptions({
    queryKey: ['backups', 'list', everywhere],
    queryFn: ({ signal }) =>
      all<Backup>(volumePath('/backups/detail'), 'backups', everywhere ? { all_tenants: true } : {}, signal),
    refetchInterval: ({ state }) => livePace((state.data ?? []).map(({ status }) => status)),
  });

export const backupsOfQuery = (volume: string) =>
  queryOptions({
    queryKey: ['backups', 'of', volume],
    queryFn: ({ signal }) =>
      all<Backup>(volumePath('/backups/detail'), 'backups', { volume_id: volume, all_tenants: true }, signal),
    refetchInterval: ({ state }) => livePace((state.data ?? []).map(({ status }) => status)),
  });

export type NewBackup = {
  volume_id: string;
  snapshot_id?: string;
  name?: string;
  description?: string;
  /** Only what changed since the backup before. */
  incremental: boolean;
};

/** Also of a volume that is in use: it is read from a snapshot. */
export const createBackup = (backup: NewBackup): Promise<void> =>
  api.post(volumePath('/backups'), { backup: { ...backup, force: true } });

export const updateBackup = (id: string, backup: { name: string; description: string }): Promise<void> =>
  api.put(volumePath(`/backups/${id}`), { backup });

export const deleteBackup = (id: string): Promise<void> => api.delete(volumePath(`/backups/${id}`));

/** Over a volume, which loses what it holds; or into a new one. */
export const restoreBackup = (id: string, into: { volume_id?: string; name?: string }): Promise<void> =>
  api.post(volumePath(`/backups/${id}/restore`), { restore: into });
