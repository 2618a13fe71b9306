// What an event says in words: the verb of its action, for the kind of object that it was about.

/** Named by what they do to an object of the action's own kind. */
const verbs = [
  'create',
  'update',
  'delete',
  'start',
  'stop',
  'reboot',
  'rebuild',
  'resize',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'lock',
  'unlock',
  'rescue',
  'unrescue',
  'shelve',
  'unshelve',
  'upload',
  'import',
  'extend',
  'restore',
  'migrate',
  'revoke',
] as const;
type OwnVerb = (typeof verbs)[number];
export type Verb =
  | OwnVerb
  | 'confirm'
  | 'revert'
  | 'grant'
  | 'ungrant'
  | 'addInterface'
  | 'removeInterface'
  | 'askConsole'
  | 'openConsole';

const special: Readonly<Record<string, Verb>> = {
  'compute:servers:confirm-resize': 'confirm',
  'compute:servers:revert-resize': 'revert',
  'compute:servers:remote-console': 'askConsole',
  'compute:servers:remote-console:open': 'openConsole',
  'identity:create_grant': 'grant',
  'identity:revoke_grant': 'ungrant',
  'identity:create_system_grant': 'grant',
  'identity:revoke_system_grant': 'ungrant',
  add_router_interface: 'addInterface',
  remove_router_interface: 'removeInterface',
};

/** 'security_groups' and 'security-group' are one kind. */
const plain = (kind: string): string => kind.replaceAll(/[-_]/g, '').replace(/s$/, '');

/**
 * ('compute:servers:reboot', 'server') -> 'reboot', ('create_port', 'port') -> 'create'. An action on something else
 * than the target has changed the target: ('delete_quota', 'project') -> 'update'.
 */
export function verbOf(action: string, kind: string): Verb {
  const known = special[action];
  if (known !== undefined) return known;
  const parts = action.split(':');
  const last = parts.at(-1) ?? '';
  const cut = last.indexOf('_');
  const [verb, noun] =
    parts.length > 2 ? [last, parts.at(-2) ?? ''] : [last.slice(0, Math.max(cut, 0)), last.slice(cut + 1)];
  return (plain(noun) === plain(kind) ? verbs.find((one) => one === verb) : undefined) ?? 'update';
}
