// The names under which clients look for addresses.
import { expect, it } from 'vitest';
import type { Route } from '../../kernel/http/route.ts';
import { jsonHome } from './json-home.ts';

it('names each address as Keystone does', () => {
  const at = (path: string): Route => ({ path }) as Route;
  const { resources } = jsonHome(
    [
      '/',
      '/v3',
      '/v3/users',
      '/v3/users/:user_id',
      '/v3/auth/tokens',
      '/v3/projects/:project_id/users/:user_id/roles/:role_id',
      '/v3/OS-TRUST/trusts/:trust_id',
      '/v3/policies/:policy_id',
    ].map(at),
  );
  const docs = 'https://docs.openstack.org/api/openstack-identity/3';
  expect(resources).toEqual({
    [`${docs}/rel/users`]: { href: '/v3/users' },
    [`${docs}/rel/user`]: {
      'href-template': '/v3/users/{user_id}',
      'href-vars': { user_id: `${docs}/param/user_id` },
    },
    [`${docs}/rel/auth_tokens`]: { href: '/v3/auth/tokens' },
    [`${docs}/rel/project_user_role`]: {
      'href-template': '/v3/projects/{project_id}/users/{user_id}/roles/{role_id}',
      'href-vars': {
        project_id: `${docs}/param/project_id`,
        user_id: `${docs}/param/user_id`,
        role_id: `${docs}/param/role_id`,
      },
    },
    [`${docs}/ext/OS-TRUST/1.0/rel/trust`]: {
      'href-template': '/v3/OS-TRUST/trusts/{trust_id}',
      'href-vars': { trust_id: `${docs}/param/trust_id` },
    },
    [`${docs}/rel/policy`]: {
      'href-template': '/v3/policies/{policy_id}',
      'href-vars': { policy_id: `${docs}/param/policy_id` },
    },
  });
});
