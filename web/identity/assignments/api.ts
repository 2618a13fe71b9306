// Who has which role where: api-ref Identity v3, "Roles".
import { api } from '../../kit/api.ts';
import { grantPath } from './grant-path.ts';

type Party = { id: string; name: string; domain?: { id: string; name: string } };
/** One line of who may do what where; `user` or `group`. */
export type Assignment = {
  role: Party;
  user?: Party;
  group?: Party;
  scope: {
    project?: Party;
    domain?: Party;
    system?: { all: boolean };
    'OS-INHERIT:inherited_to'?: string;
  };
};

export const assignmentKey = ({ role, user, group, scope }: Assignment): string =>
  [
    role.id,
    user?.id ?? group?.id,
    scope.project?.id ?? scope.domain?.id ?? 'system',
    scope['OS-INHERIT:inherited_to'] ?? '',
  ].join(' ');

const assignments = async (query: Record<string, string>): Promise<Assignment[]> =>
  (
    await api.get<{ role_assignments: Assignment[] }>('/identity/v3/role_assignments', {
      ...query,
      include_names: true,
    })
  ).role_assignments;

export const membersQuery = (projectId: string) => ({
  queryKey: ['assignments', 'project', projectId],
  queryFn: () => assignments({ 'scope.project.id': projectId }),
});
/** Whose roles: a user's own, or a group's. */
export type Actor = { kind: 'user' | 'group'; id: string };

export const rolesOfQuery = ({ kind, id }: Actor) => ({
  queryKey: ['assignments', kind, id],
  queryFn: () => assignments({ [`${kind}.id`]: id }),
});

export const grantInProject = (projectId: string, { kind, id }: Actor, roleId: string): Promise<unknown> =>
  api.put(`/identity/v3/projects/${projectId}/${kind}s/${id}/roles/${roleId}`);
export const revokeGrant = (assignment: Assignment): Promise<unknown> => api.delete(grantPath(assignment));
