// Actions in words.
import { expect, it } from 'vitest';
import { verbOf } from './words.ts';

it('finds the verb of an action in the manner of each service', () => {
  const said = [
    ['compute:servers:create', 'server', 'create'],
    ['compute:servers:confirm-resize', 'server', 'confirm'],
    ['compute:server-groups:delete', 'server-group', 'delete'],
    ['create_port', 'port', 'create'],
    ['delete_security_group_rule', 'security-group-rule', 'delete'],
    ['create_floatingip', 'floating-ip', 'create'],
    ['add_router_interface', 'router', 'addInterface'],
    ['identity:delete_user', 'user', 'delete'],
    ['compute:servers:remote-console', 'server', 'askConsole'],
    ['compute:servers:remote-console:open', 'server', 'openConsole'],
  ] as const;
  for (const [action, kind, verb] of said) expect([action, verbOf(action, kind)]).toEqual([action, verb]);
});

it('what was done to something else has changed the target, and does not create or delete it', () => {
  const said = [
    ['delete_quota', 'project', 'update'],
    ['identity:create_grant', 'user', 'grant'],
    ['compute:servers:create-image', 'server', 'update'],
    ['compute:services', 'host', 'update'],
    ['volume:types:manage', 'volume-type', 'update'],
  ] as const;
  for (const [action, kind, verb] of said) expect([action, verbOf(action, kind)]).toEqual([action, verb]);
});
