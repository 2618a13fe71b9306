// Addresses of role assignments.
import { expect, it } from 'vitest';
import { grantPath } from './grant-path.ts';

const role = { id: 'r', name: 'member' };
const user = { id: 'u', name: 'ada' };

it('the address of a role assignment follows from who has it and where', () => {
  const project = { id: 'p', name: 'team' };
  expect(grantPath({ role, user, scope: { project } })).toBe('/identity/v3/projects/p/users/u/roles/r');
  expect(
    grantPath({ role, group: { id: 'g', name: 'ops' }, scope: { domain: { id: 'd', name: 'D' } } }),
  ).toBe('/identity/v3/domains/d/groups/g/roles/r');
  expect(grantPath({ role, user, scope: { system: { all: true } } })).toBe(
    '/identity/v3/system/users/u/roles/r',
  );
  expect(grantPath({ role, user, scope: { project, 'OS-INHERIT:inherited_to': 'projects' } })).toBe(
    '/identity/v3/OS-INHERIT/projects/p/users/u/roles/r/inherited_to_projects',
  );
});
