// Which actions a server's state allows, so that only those are offered. The cloud decides again when one is asked for;
// what is said here must not be less than what it allows: docs of Nova, "Virtual machine states and transitions".
import type { Server, ServerType } from './server.ts';

export const actionNames = [
  'start',
  'stop',
  'softReboot',
  'hardReboot',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'confirmResize',
  'revertResize',
  'resize',
  'rebuild',
  'rescue',
  'unrescue',
  'shelve',
  'shelveOffload',
  'unshelve',
  'createImage',
  'createBackup',
  'snapshotVolumes',
  'rename',
  'lock',
  'unlock',
  'crashDump',
  'resetState',
  'delete',
  'forceDelete',
] as const;
export type ActionName = (typeof actionNames)[number];

type Rule = {
  /** vm_state; absent: any. */
  from?: readonly string[];
  /** task_state in which it can be asked for; by default only in none. */
  during?: readonly string[] | 'any';
  /** Only VMs can; a container's engine keeps no disk that could be copied or swapped. */
  vmOnly?: boolean;
  /** It boots from an image. */
  imageOnly?: boolean;
  operatorOnly?: boolean;
  /** Possible without ever having been placed on a host. */
  unplaced?: boolean;
  /** Possible while it is locked. */
  locked?: boolean;
  when?(server: ActionServer): boolean;
};

export type ActionServer = Pick<
  Server,
  | 'image'
  | 'hostId'
  | 'locked'
  | 'OS-EXT-STS:vm_state'
  | 'OS-EXT-STS:task_state'
  | 'os-extended-volumes:volumes_attached'
>;

const rules: Readonly<Record<ActionName, Rule>> = {
  start: { from: ['stopped'] },
  stop: { from: ['active', 'error'] },
  softReboot: { from: ['active'] },
  hardReboot: {
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    during: ['rebooting', 'rebooting_hard'],
  },
  pause: { from: ['active'] },
  unpause: { from: ['paused'] },
  // What a volume holds would not wait for a guest that is suspended.
  suspend: {
    from: ['active'],
    vmOnly: true,
    when: (server) => server['os-extended-volumes:volumes_attached'].length === 0,
  },
  resume: { from: ['suspended'] },
  confirmResize: { from: ['resized'] },
  revertResize: { from: ['resized'] },
  resize: { from: ['active', 'stopped'] },
  rebuild: { from: ['active', 'stopped', 'error'], imageOnly: true },
  rescue: { from: ['active', 'stopped', 'error'], vmOnly: true },
  unrescue: { from: ['rescued', 'error'], vmOnly: true },
  shelve: { from: ['active', 'stopped', 'paused', 'suspended'], vmOnly: true },
  shelveOffload: { from: ['shelved'], operatorOnly: true },
  unshelve: { from: ['shelved', 'shelved_offloaded'], unplaced: true },
  createImage: { from: ['active', 'stopped', 'paused', 'suspended'], vmOnly: true, imageOnly: true },
  createBackup: { from: ['active', 'stopped', 'paused', 'suspended'], vmOnly: true, imageOnly: true },
  snapshotVolumes: {
    from: ['active', 'stopped', 'paused', 'suspended', 'error'],
    when: (server) => server['os-extended-volumes:volumes_attached'].length > 0,
  },
  rename: { during: 'any', unplaced: true },
  lock: { during: 'any', unplaced: true, when: (server) => !server.locked },
  unlock: { during: 'any', unplaced: true, locked: true, when: (server) => server.locked },
  crashDump: { from: ['active', 'paused', 'rescued', 'resized', 'error'], during: 'any', vmOnly: true },
  resetState: { during: 'any', unplaced: true, locked: true, operatorOnly: true },
  delete: { during: 'any', unplaced: true, when: (server) => server['OS-EXT-STS:task_state'] !== 'deleting' },
  // A deletion that waits for a host is asked for again; it ends at once when the host is down.
  forceDelete: {
    during: 'any',
    unplaced: true,
    when: (server) =>
      server['OS-EXT-STS:task_state'] === 'deleting' || server['OS-EXT-STS:vm_state'] === 'error',
  },
};

export type Asker = { operator: boolean; reader: boolean };

export function isAllowed(
  action: ActionName,
  server: ActionServer,
  type: ServerType | null,
  { operator, reader }: Asker,
): boolean {
  const rule = rules[action];
  const task = server['OS-EXT-STS:task_state'];
  if (reader || (rule.operatorOnly === true && !operator)) return false;
  if (server.locked && rule.locked !== true && !operator) return false;
  if (rule.from?.includes(server['OS-EXT-STS:vm_state']) === false) return false;
  if (task !== null && rule.during !== 'any' && rule.during?.includes(task) !== true) return false;
  if (type === 'container' && rule.vmOnly === true) return false;
  if (server.image === '' && rule.imageOnly === true) return false;
  if (server.hostId === '' && rule.unplaced !== true) return false;
  return rule.when?.(server) !== false;
}

/** In the order in which a menu shows them. */
export const allowedActions = (
  server: ActionServer,
  type: ServerType | null,
  asker: Asker,
): readonly ActionName[] => actionNames.filter((action) => isAllowed(action, server, type, asker));

/** What takes something from somebody: asked for in red. */
export const isDestructive = (action: ActionName): boolean =>
  ['delete', 'forceDelete', 'rebuild', 'revertResize', 'hardReboot', 'crashDump'].includes(action);
