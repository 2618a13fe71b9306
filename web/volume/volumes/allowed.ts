// What a volume's state allows, as the volume API itself decides; so that a button can say why not before it is pressed.
import type { Volume } from './api.ts';

export type VolumeAction =
  | 'extend'
  | 'retype'
  | 'attach'
  | 'snapshot'
  | 'backup'
  | 'clone'
  | 'transfer'
  | 'withdraw'
  | 'image'
  | 'readonly'
  | 'delete';

/** Why not; null: it may. */
export type Refusal = 'inUse' | 'notInState' | 'grouped' | 'noTransfer' | null;

const USABLE: readonly string[] = ['available', 'in-use'];
const DELETABLE: readonly string[] = [
  'available',
  'error',
  'error_restoring',
  'error_extending',
  'error_managing',
  'error_deleting',
];

type State = Pick<Volume, 'status' | 'attachments' | 'group_id'>;

export function refusal(action: VolumeAction, { status, attachments, group_id: group }: State): Refusal {
  const attached = attachments.length > 0;
  switch (action) {
    case 'extend':
    case 'retype':
    case 'snapshot':
    case 'backup':
    case 'clone':
      return USABLE.includes(status) ? null : 'notInState';
    case 'attach':
    case 'image':
    case 'readonly':
    case 'transfer':
      return attached ? 'inUse' : status === 'available' ? null : 'notInState';
    case 'withdraw':
      return status === 'awaiting-transfer' ? null : 'noTransfer';
    case 'delete':
      if (attached) return 'inUse';
      if (!DELETABLE.includes(status)) return 'notInState';
      return group === null ? null : 'grouped';
  }
}
