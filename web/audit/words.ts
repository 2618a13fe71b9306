// What an event says in words: the verb of its action.

export const verbs = [
  'create',
  'update',
  'delete',
  'add',
  'remove',
  'attach',
  'detach',
  'start',
  'stop',
  'reboot',
  'rebuild',
  'resize',
  'confirm',
  'revert',
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
export type Verb = (typeof verbs)[number];

/** 'compute:servers:confirm-resize' -> 'confirm', 'create_port' -> 'create'; what has no verb has changed something. */
export function verbOf(action: string): Verb {
  const last = action.slice(action.lastIndexOf(':') + 1);
  const [first = ''] = last.split(/[-_]/);
  return verbs.find((verb) => verb === first) ?? 'update';
}
