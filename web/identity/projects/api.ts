// Projects, and what an operator does to them: api-ref Identity v3, "Projects", "Roles".
import { all, api } from '../../kit/api.ts';
import { CALM_MS } from '../../kit/live.ts';

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
