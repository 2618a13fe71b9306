// Which of five tones the states of OpenStack's resources have. Pure.

export type Tone = 'good' | 'busy' | 'bad' | 'warning' | 'idle';

const tones: Readonly<Record<string, Tone>> = {
  active: 'good',
  available: 'good',
  'in-use': 'good',
  enabled: 'good',
  up: 'good',
  success: 'good',
  running: 'good',
  error: 'bad',
  failed: 'bad',
  killed: 'bad',
  down: 'idle',
  shutoff: 'idle',
  stopped: 'idle',
  paused: 'warning',
  suspended: 'warning',
  rescue: 'warning',
  rescued: 'warning',
  verify_resize: 'warning',
  shelved: 'idle',
  shelved_offloaded: 'idle',
  deactivated: 'idle',
  disabled: 'warning',
  deleted: 'idle',
  soft_deleted: 'idle',
};

// What OpenStack calls a state in which something is under way.
const UNDER_WAY =
  /^(build|queued|saving|importing|uploading|creating|deleting|reboot|hard_reboot|rebuild|resize|revert_resize|attaching|detaching|extending|retyping|migrating|maintenance|backing-up|restoring|downloading|reserved|awaiting-transfer|pending|password)/;

export const toneOf = (state: string): Tone => {
  const name = state.toLowerCase();
  if (name.startsWith('error')) return 'bad';
  return tones[name] ?? (UNDER_WAY.test(name) ? 'busy' : 'idle');
};
