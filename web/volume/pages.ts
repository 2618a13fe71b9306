// The pages of block storage.
import type { PageEntry } from '../kit/page-entry.ts';

export const volumePages: readonly PageEntry[] = [
  { path: '/volumes', load: async () => (await import('./volumes/volumes-page.tsx')).VolumesPage },
  { path: '/volumes/$id', load: async () => (await import('./volumes/volume-page.tsx')).VolumePage },
  { path: '/snapshots', load: async () => (await import('./snapshots/snapshots-page.tsx')).SnapshotsPage },
  { path: '/backups', load: async () => (await import('./backups/backups-page.tsx')).BackupsPage },
];
