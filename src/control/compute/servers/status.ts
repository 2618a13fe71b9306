// What the API says about the state of a server: a pure function of what is wanted and what was observed.
import { type Phase, resizeFactsOf, shelveFactsOf } from './phases.ts';
import type { Power, ServerRow } from './table.ts';

export type StatusInput = Pick<
  ServerRow,
  | 'deleting'
  | 'host_id'
  | 'power'
  | 'reboot_count'
  | 'reboot_hard'
  | 'rebuild_count'
  | 'imaging'
  | 'desired_version'
  | 'observed_version'
  | 'observed_power'
  | 'observed_reboot_count'
  | 'observed_rebuild_count'
  | 'rescue'
  | 'observed_rescued'
  | 'error'
  | 'phase'
  | 'phase_facts'
>;

export type VmState =
  | 'building'
  | 'active'
  | 'stopped'
  | 'paused'
  | 'suspended'
  | 'rescued'
  | 'resized'
  | 'shelved'
  | 'shelved_offloaded'
  | 'error';
export type TaskState =
  | 'scheduling'
  | 'spawning'
  | 'deleting'
  | 'rebooting'
  | 'rebuilding'
  | 'rescuing'
  | 'unrescuing'
  | 'image_uploading'
  | 'rebooting_hard'
  | 'powering-on'
  | 'powering-off'
  | 'pausing'
  | 'unpausing'
  | 'suspending'
  | 'resuming'
  | 'resize_migrating'
  | 'resize_reverting'
  | 'shelving'
  | 'shelving_image_uploading'
  | 'shelving_offloading'
  | 'unshelving';
export type Status =
  | 'BUILD'
  | 'ACTIVE'
  | 'SHUTOFF'
  | 'PAUSED'
  | 'SUSPENDED'
  | 'ERROR'
  | 'REBOOT'
  | 'REBUILD'
  | 'HARD_REBOOT'
  | 'RESCUE'
  | 'RESIZE'
  | 'VERIFY_RESIZE'
  | 'REVERT_RESIZE'
  | 'SHELVED'
  | 'SHELVED_OFFLOADED';

export type ServerState = {
  status: Status;
  vmState: VmState;
  /** null: nothing is under way. */
  taskState: TaskState | null;
  /** Nova's numbers: 0 none, 1 running, 3 paused, 4 shut down, 6 crashed, 7 suspended. */
  powerState: 0 | 1 | 3 | 4 | 6 | 7;
};

/** A guest that died is as stopped as one that was shut down; only its power state tells them apart. */
const settledPower: Readonly<
  Record<string, { vmState: VmState; power: ServerRow['power']; powerState: ServerState['powerState'] }>
> = {
  running: { vmState: 'active', power: 'running', powerState: 1 },
  stopped: { vmState: 'stopped', power: 'stopped', powerState: 4 },
  crashed: { vmState: 'stopped', power: 'stopped', powerState: 6 },
  paused: { vmState: 'paused', power: 'paused', powerState: 3 },
  suspended: { vmState: 'suspended', power: 'suspended', powerState: 7 },
};

const statusOf: Readonly<Record<VmState, Status>> = {
  building: 'BUILD',
  active: 'ACTIVE',
  stopped: 'SHUTOFF',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  rescued: 'RESCUE',
  resized: 'VERIFY_RESIZE',
  shelved: 'SHELVED',
  shelved_offloaded: 'SHELVED_OFFLOADED',
  error: 'ERROR',
};

const before: Readonly<Record<Power, VmState>> = {
  running: 'active',
  stopped: 'stopped',
  paused: 'paused',
  suspended: 'suspended',
};

/** Steps that show as a task as long as nothing went wrong; the state of the others is at rest. */
const phaseStates: Readonly<Record<Phase, { vmState: VmState | null; task: TaskState | null }>> = {
  resizing: { vmState: null, task: 'resize_migrating' },
  resized: { vmState: 'resized', task: null },
  // As Nova: a confirmation shows in no task.
  confirming: { vmState: 'resized', task: null },
  reverting: { vmState: 'resized', task: 'resize_reverting' },
  shelving: { vmState: null, task: 'shelving' },
  shelved: { vmState: 'shelved', task: null },
  offloading: { vmState: 'shelved', task: 'shelving_offloading' },
  offloaded: { vmState: 'shelved_offloaded', task: null },
  unshelving: { vmState: 'shelved_offloaded', task: 'unshelving' },
};

/** In a phase whose guest is on its way the state is that of before. */
const vmStateIn = (row: StatusInput, phase: Phase): VmState =>
  phaseStates[phase].vmState ?? before[(resizeFactsOf(row) ?? shelveFactsOf(row))?.power ?? 'running'];

function taskIn(row: StatusInput, phase: Phase): TaskState | null {
  const settled = row.observed_version >= row.desired_version;
  // What failed and was given up may be repaired by whoever may repair a server in ERROR.
  if (row.error !== null && settled) return null;
  if (phase === 'shelving' && settled) return 'shelving_image_uploading';
  return phaseStates[phase].task;
}

/** The step from what is observed to what is wanted; null: there is none. */
function stepTo(wanted: ServerRow['power'], observed: ServerRow['power']): TaskState | null {
  if (wanted === observed) return null;
  if (wanted === 'stopped') return 'powering-off';
  if (wanted === 'paused') return 'pausing';
  if (wanted === 'suspended') return 'suspending';
  if (observed === 'paused') return 'unpausing';
  return observed === 'suspended' ? 'resuming' : 'powering-on';
}

function taskOf(row: StatusInput, observed: ServerRow['power'] | null): TaskState | null {
  if (row.deleting === 1) return 'deleting';
  if (row.phase !== null) return taskIn(row, row.phase);
  // Whatever was wanted has been tried: the observed state stands, also where it is not what was wanted.
  if (row.observed_version >= row.desired_version) return row.imaging > 0 ? 'image_uploading' : null;

  if (observed === null) return row.host_id === null ? 'scheduling' : 'spawning';
  if (row.rebuild_count > row.observed_rebuild_count) return 'rebuilding';
  if ((row.rescue !== null) !== (row.observed_rescued === 1))
    return row.rescue === null ? 'unrescuing' : 'rescuing';
  if (row.reboot_count > row.observed_reboot_count && row.power === 'running')
    return row.reboot_hard === 1 ? 'rebooting_hard' : 'rebooting';
  return stepTo(row.power, observed);
}

export function stateOf(row: StatusInput): ServerState {
  const settled = row.observed_power === null ? undefined : settledPower[row.observed_power];
  const vmState =
    row.error !== null
      ? 'error'
      : row.phase !== null
        ? vmStateIn(row, row.phase)
        : row.observed_rescued === 1
          ? 'rescued'
          : (settled?.vmState ?? 'building');
  const taskState = taskOf(row, settled?.power ?? null);
  // As Nova: of all tasks only these, and a reboot of a running server, show in the status.
  let status = statusOf[vmState];
  if (vmState !== 'error' && taskState === 'rebuilding') status = 'REBUILD';
  if (vmState !== 'error' && taskState === 'resize_migrating') status = 'RESIZE';
  if (vmState !== 'error' && taskState === 'resize_reverting') status = 'REVERT_RESIZE';
  if (vmState === 'active' && taskState === 'rebooting') status = 'REBOOT';
  if (vmState === 'active' && taskState === 'rebooting_hard') status = 'HARD_REBOOT';
  return { status, vmState, taskState, powerState: settled?.powerState ?? 0 };
}
