// Roles, and which imply which: api-ref Identity v3, "Roles".
import { all, api } from '../../kit/api.ts';

export type Role = {
  id: string;
  name: string;
  /** null: of the whole cloud. */
  domain_id: string | null;
  description: string;
  options?: { immutable?: boolean };
};

const PATH = '/identity/v3/roles';

/** For operators. */
export const rolesQuery = {
  queryKey: ['roles'],
  queryFn: () => all<Role>(PATH, 'roles'),
};

export type Inference = { prior_role: Pick<Role, 'id' | 'name'>; implies: Pick<Role, 'id' | 'name'>[] };
export const inferencesQuery = {
  queryKey: ['role-inferences'],
  queryFn: async () =>
    (await api.get<{ role_inferences: Inference[] }>('/identity/v3/role_inferences')).role_inferences,
};

export const createRole = (fields: { name: string; description?: string }): Promise<unknown> =>
  api.post(PATH, { role: fields });
export const updateRole = (id: string, fields: { name: string; description: string }): Promise<unknown> =>
  api.patch(`${PATH}/${id}`, { role: fields });
export const deleteRole = (id: string): Promise<unknown> => api.delete(`${PATH}/${id}`);
export const imply = (id: string, implied: string): Promise<unknown> =>
  api.put(`${PATH}/${id}/implies/${implied}`);
export const implyNot = (id: string, implied: string): Promise<unknown> =>
  api.delete(`${PATH}/${id}/implies/${implied}`);
