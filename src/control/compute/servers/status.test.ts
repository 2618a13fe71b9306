// The status function over every combination of what can be wanted and observed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stateOf, type StatusInput } from './status.ts';

const version = fc.nat({ max: 5 });
const input: fc.Arbitrary<StatusInput> = fc.record({
  deleting: fc.constantFrom(0, 1),
  host_id: fc.constantFrom(null, 'host'),
  power: fc.constantFrom('running', 'stopped', 'paused', 'suspended'),
  reboot_count: version,
  reboot_hard: fc.constantFrom(0, 1),
  rebuild_count: version,
  observed_rebuild_count: version,
  rescue: fc.constantFrom(null, '{}'),
  observed_rescued: fc.constantFrom(0, 1),
  imaging: fc.nat({ max: 2 }),
  desired_version: version,
  observed_version: version,
  observed_power: fc.constantFrom(
    null,
    'running',
    'stopped',
    'paused',
    'suspended',
    'crashed',
    'of-a-later-agent',
  ),
  observed_reboot_count: version,
  error: fc.constantFrom(null, 'it failed'),
  phase: fc.constant(null),
  phase_facts: fc.constant(null),
});

const consistent: Record<string, { vm: string; tasks?: (string | null)[] }> = {
  BUILD: { vm: 'building' },
  ACTIVE: { vm: 'active' },
  REBOOT: { vm: 'active', tasks: ['rebooting'] },
  HARD_REBOOT: { vm: 'active', tasks: ['rebooting_hard'] },
  SHUTOFF: { vm: 'stopped' },
  RESCUE: { vm: 'rescued' },
  PAUSED: { vm: 'paused' },
  SUSPENDED: { vm: 'suspended' },
  ERROR: { vm: 'error' },
};
const powerOf: Record<string, number[]> = {
  building: [0],
  active: [1],
  stopped: [4, 6],
  paused: [3],
  suspended: [7],
  rescued: [0, 1, 3, 4, 6, 7],
  error: [0, 1, 3, 4, 6, 7],
};

test('the status is total, and never contradicts vm state, task state or power state', () => {
  fc.assert(
    fc.property(input, (row) => {
      const state = stateOf(row);
      // A rebuild shows over whatever the guest is.
      const rule =
        state.status === 'REBUILD' ? { vm: state.vmState, tasks: ['rebuilding'] } : consistent[state.status];
      expect(rule?.vm).toBe(state.vmState);
      if (rule?.tasks !== undefined) expect(rule.tasks).toContain(state.taskState);
      expect(powerOf[state.vmState]).toContain(state.powerState);
    }),
    { numRuns: 3000 },
  );
});

test('a server that is being deleted says so, and one whose wishes were all tried has no task', () => {
  fc.assert(
    fc.property(input, (row) => {
      const { taskState } = stateOf(row);
      if (row.deleting === 1) expect(taskState).toBe('deleting');
      else if (row.observed_version >= row.desired_version)
        expect(taskState).toBe(row.imaging > 0 ? 'image_uploading' : null);
    }),
  );
});

test('an error shows as ERROR whatever else is so', () => {
  fc.assert(
    fc.property(input, (row) => {
      expect(stateOf({ ...row, error: 'x' }).status).toBe('ERROR');
    }),
  );
});

test('each step from one power to another has its own task', () => {
  const row = (power: StatusInput['power'], observed_power: string): StatusInput => ({
    deleting: 0,
    host_id: 'h',
    power,
    reboot_count: 0,
    reboot_hard: 0,
    rebuild_count: 0,
    observed_rebuild_count: 0,
    rescue: null,
    observed_rescued: 0,
    imaging: 0,
    desired_version: 2,
    observed_version: 1,
    observed_power,
    observed_reboot_count: 0,
    error: null,
    phase: null,
    phase_facts: null,
  });
  const steps = [
    ['stopped', 'running', 'ACTIVE', 'powering-off'],
    ['running', 'stopped', 'SHUTOFF', 'powering-on'],
    ['paused', 'running', 'ACTIVE', 'pausing'],
    ['running', 'paused', 'PAUSED', 'unpausing'],
    ['suspended', 'running', 'ACTIVE', 'suspending'],
    ['running', 'suspended', 'SUSPENDED', 'resuming'],
    ['stopped', 'crashed', 'SHUTOFF', null],
  ] as const;
  for (const [wanted, observed, status, taskState] of steps)
    expect(stateOf(row(wanted, observed))).toMatchObject({ status, taskState });
});

test('each phase of a resize and of a shelving shows as Nova shows it, whatever the guest is meanwhile', () => {
  const steps = [
    ['resizing', 'RESIZE', 'active', 'resize_migrating'],
    ['resized', 'VERIFY_RESIZE', 'resized', null],
    ['confirming', 'VERIFY_RESIZE', 'resized', null],
    ['reverting', 'REVERT_RESIZE', 'resized', 'resize_reverting'],
    ['shelving', 'ACTIVE', 'active', 'shelving'],
    ['shelved', 'SHELVED', 'shelved', null],
    ['offloading', 'SHELVED', 'shelved', 'shelving_offloading'],
    ['offloaded', 'SHELVED_OFFLOADED', 'shelved_offloaded', null],
    ['unshelving', 'SHELVED_OFFLOADED', 'shelved_offloaded', 'unshelving'],
  ] as const;
  fc.assert(
    fc.property(input, fc.constantFrom(...steps), (row, [phase, status, vmState, taskState]) => {
      const facts = JSON.stringify({ power: 'running', imageId: null, diskGib: null });
      const under = {
        ...row,
        phase,
        phase_facts: facts,
        deleting: 0,
        observed_version: 0,
        desired_version: 1,
      };
      expect(stateOf({ ...under, error: null })).toMatchObject({ status, vmState, taskState });
      // Given up by its host, it may be repaired as any server in ERROR.
      expect(stateOf({ ...under, error: 'x', observed_version: 1 })).toMatchObject({
        status: 'ERROR',
        taskState: null,
      });
    }),
  );
});
