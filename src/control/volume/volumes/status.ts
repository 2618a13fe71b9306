// The status of a volume: a pure function of what is wanted, what was observed, and its attachments.
import type { VolumeRow } from './table.ts';

export type AttachmentState = 'reserved' | 'attaching' | 'attached' | 'detaching';

type Input = Pick<
  VolumeRow,
  | 'forced_status'
  | 'deleting'
  | 'created'
  | 'error'
  | 'size_gib'
  | 'observed_size_gib'
  | 'revert_count'
  | 'observed_revert_count'
  | 'task'
>;

export function volumeStatus(row: Input, attachments: readonly { state: AttachmentState }[]): string {
  if (row.deleting === 1) return 'deleting';
  if (row.forced_status !== null) return row.forced_status;
  if (row.created === 0) return row.error === null ? 'creating' : 'error';
  const extending = row.size_gib > row.observed_size_gib;
  if (row.error !== null) return extending ? 'error_extending' : 'error';
  if (row.revert_count > row.observed_revert_count) return 'reverting';
  if (extending) return 'extending';
  if (row.task !== null) return row.task;
  const has = (state: AttachmentState): boolean => attachments.some((one) => one.state === state);
  if (has('detaching')) return 'detaching';
  if (has('attaching')) return 'attaching';
  if (has('attached')) return 'in-use';
  return has('reserved') ? 'reserved' : 'available';
}
