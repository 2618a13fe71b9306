// Projects, and what an operator does to them: api-ref Identity v3, "Projects", "Roles".
import { all, api } from '../../kit/api.ts';
import { CALM_MS } from '../../kit/live.ts';
import { grantPath } from './grant-path.ts';

export type Project = {
  id: string;
  name: string;
  description: string;
  domain_id: string;
  enabled: boolean;
};

export type ProjectFields = Pick<Project, 'name' | 'description' | 'domain_id' | 'enabled'>;

const PATH = '/identity/v3/projects';

/** For operators. */
export const projectsQuery = {
  queryKey: ['projects'],
  queryFn: () => all<Project>(PATH, 'projects'),
  refetchInterval: CALM_MS,
};

export const projectQuery = (id: string) => ({
  queryKey: ['projects', id],
  queryFn: async () => (await api.get<{ project: Project }>(`${PATH}/${id}`)).project,
});

export type Domain = { id: string; name: string; enabled: boolean };
export const domainsQuery = {
  queryKey: ['domains'],
  queryFn: () => all<Domain>('/identity/v3/domains', 'domains'),
  staleTime: 60_000,
};

export const createProject = async (fields: ProjectFields): Promise<Project> =>
  (await api.post<{ project: Project }>(PATH, { project: fields })).project;
export const updateProject = (id: string, fields: Partial<ProjectFields>): Promise<unknown> =>
  api.patch(`${PATH}/${id}`, { project: fields });
export const deleteProject = (id: string): Promise<unknown> => api.delete(`${PATH}/${id}`);

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
export const rolesOfUserQuery = (userId: string) => ({
  queryKey: ['assignments', 'user', userId],
  queryFn: () => assignments({ 'user.id': userId }),
});

export const grantInProject = (projectId: string, userId: string, roleId: string): Promise<unknown> =>
  api.put(`${PATH}/${projectId}/users/${userId}/roles/${roleId}`);
export const revokeGrant = (assignment: Assignment): Promise<unknown> => api.delete(grantPath(assignment));
