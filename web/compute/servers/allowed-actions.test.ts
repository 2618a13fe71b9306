// What the menus of servers offer.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actionNames, allowedActions, isAllowed, type ActionServer } from './allowed-actions.ts';

const MEMBER = { operator: false, reader: false };
const OPERATOR = { operator: true, reader: false };

const server = (vmState: string, changes: Partial<ActionServer> = {}): ActionServer => ({
  image: { id: 'an-image' },
  hostId: 'a-host',
  locked: false,
  'OS-EXT-STS:vm_state': vmState,
  'OS-EXT-STS:task_state': null,
  'os-extended-volumes:volumes_attached': [],
  ...changes,
});

const VM_STATES = [
  'building',
  'active',
  'stopped',
  'paused',
  'suspended',
  'rescued',
  'resized',
  'shelved',
  'shelved_offloaded',
  'error',
];

const servers = fc.record<ActionServer>({
  image: fc.constantFrom({ id: 'an-image' }, '' as const),
  hostId: fc.constantFrom('a-host', ''),
  locked: fc.boolean(),
  'OS-EXT-STS:vm_state': fc.constantFrom(...VM_STATES),
  'OS-EXT-STS:task_state': fc.constantFrom(null, 'spawning', 'rebooting', 'powering-off', 'deleting'),
  'os-extended-volumes:volumes_attached': fc.array(
    fc.record({ id: fc.uuid(), delete_on_termination: fc.boolean() }),
    { maxLength: 2 },
  ),
});
const types = fc.constantFrom('vm' as const, 'container' as const, null);

describe('the actions that a state allows', () => {
  test('a VM that runs can be stopped, rebooted, resized and copied, but not started', () => {
    expect(allowedActions(server('active'), 'vm', MEMBER)).toEqual([
      'stop',
      'softReboot',
      'hardReboot',
      'pause',
      'suspend',
      'resize',
      'rebuild',
      'rescue',
      'shelve',
      'createImage',
      'createBackup',
      'rename',
      'lock',
      'crashDump',
      'delete',
    ]);
  });

  test('a container that runs is offered nothing that needs the disk of a VM', () => {
    const actions = allowedActions(server('active'), 'container', MEMBER);
    expect(actions).toContain('pause');
    for (const never of ['suspend', 'rescue', 'shelve', 'createImage', 'createBackup', 'crashDump'])
      expect(actions).not.toContain(never);
  });

  test('a resize that waits for its user can be confirmed or reverted', () => {
    const actions = allowedActions(server('resized'), 'vm', MEMBER);
    expect(actions).toContain('confirmResize');
    expect(actions).toContain('revertResize');
    expect(actions).not.toContain('resize');
  });

  test('a server that was never placed can only be deleted', () => {
    const actions = allowedActions(server('error', { hostId: '' }), 'vm', MEMBER);
    expect(actions.filter((one) => !['rename', 'lock', 'delete', 'forceDelete'].includes(one))).toEqual([]);
    expect(actions).toContain('delete');
  });

  test('a shelved server that is on no host can be unshelved', () => {
    expect(allowedActions(server('shelved_offloaded', { hostId: '' }), 'vm', MEMBER)).toContain('unshelve');
  });

  test('only an operator changes a locked server; others unlock it first', () => {
    const locked = server('active', { locked: true });
    expect(allowedActions(locked, 'vm', MEMBER)).toEqual(['unlock']);
    expect(allowedActions(locked, 'vm', OPERATOR)).toContain('stop');
  });

  test('a hard reboot can be asked for while a reboot hangs', () => {
    const hanging = server('active', { 'OS-EXT-STS:task_state': 'rebooting' });
    expect(isAllowed('hardReboot', hanging, 'vm', MEMBER)).toBe(true);
    expect(isAllowed('softReboot', hanging, 'vm', MEMBER)).toBe(false);
  });

  test('a server with volumes is not suspended', () => {
    const volumes = [{ id: 'a', delete_on_termination: false }];
    const one = server('active', { 'os-extended-volumes:volumes_attached': volumes });
    expect(isAllowed('suspend', one, 'vm', MEMBER)).toBe(false);
  });

  test('snapshots are offered of servers that have volumes, whatever they are', () => {
    const volumes = [{ id: 'a', delete_on_termination: false }];
    const one = server('active', { image: '', 'os-extended-volumes:volumes_attached': volumes });
    expect(isAllowed('snapshotVolumes', one, 'vm', MEMBER)).toBe(true);
    expect(isAllowed('snapshotVolumes', { ...one, image: { id: 'i' } }, 'container', MEMBER)).toBe(true);
    expect(isAllowed('snapshotVolumes', server('active'), 'vm', MEMBER)).toBe(false);
  });

  test('each action is offered to somebody in some state', () => {
    const offered = new Set(
      VM_STATES.flatMap((state) =>
        [false, true].flatMap((locked) => [
          ...allowedActions(server(state, { locked }), 'vm', OPERATOR),
          ...allowedActions(
            server(state, {
              'os-extended-volumes:volumes_attached': [{ id: 'a', delete_on_termination: true }],
            }),
            'vm',
            OPERATOR,
          ),
        ]),
      ),
    );
    expect(actionNames.filter((action) => !offered.has(action))).toEqual([]);
  });

  test('a reader is offered nothing, and an operator all that a member is', () => {
    fc.assert(
      fc.property(servers, types, (one, type) => {
        expect(allowedActions(one, type, { operator: false, reader: true })).toEqual([]);
        const more = allowedActions(one, type, OPERATOR);
        for (const action of allowedActions(one, type, MEMBER)) expect(more).toContain(action);
      }),
    );
  });

  test('start and stop, lock and unlock, delete and its repetition are never offered together', () => {
    fc.assert(
      fc.property(servers, types, (one, type) => {
        const actions = allowedActions(one, type, OPERATOR);
        for (const [a, b] of [
          ['start', 'stop'],
          ['lock', 'unlock'],
          ['pause', 'unpause'],
          ['suspend', 'resume'],
        ] as const)
          expect(actions.includes(a) && actions.includes(b)).toBe(false);
      }),
    );
  });

  test('while a task is under way the state of a server is left alone', () => {
    fc.assert(
      fc.property(servers, types, (one, type) => {
        const busy = { ...one, 'OS-EXT-STS:task_state': 'spawning' };
        const left = allowedActions(busy, type, OPERATOR);
        for (const action of left)
          expect(['rename', 'lock', 'unlock', 'crashDump', 'resetState', 'delete', 'forceDelete']).toContain(
            action,
          );
      }),
    );
  });
});
