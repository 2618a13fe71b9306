// Actions in words.
import { expect, it } from 'vitest';
import { verbOf } from './words.ts';

it('finds the verb of an action in the manner of each service', () => {
  expect(
    [
      'compute:servers:create',
      'compute:servers:confirm-resize',
      'create_port',
      'add_router_interface',
      'identity:delete_user',
      'compute:services',
      'volume:types:manage',
    ].map(verbOf),
  ).toEqual(['create', 'confirm', 'create', 'add', 'delete', 'update', 'update']);
});
