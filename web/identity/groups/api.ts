// Groups of users: api-ref Identity v3, "Groups".
import { all, api } from '../../kit/api.ts';
import type { User } from '../users/api.ts';

export type Group = { id: string; name: string; description: string; domain_id: string };

const PATH = '/identity/v3/groups';

/** For operators. */
export const groupsQuery = {
  queryKey: ['groups'],
  queryFn: () => all<Group>(PATH, 'groups'),
};
export const groupQuery = (id: string) => ({
  queryKey: ['groups', id],
  queryFn: async () => (await api.get<{ group: Group }>(`${PATH}/${id}`)).group,
});
export const membersOfGroupQuery = (id: string) => ({
  queryKey: ['groups', id, 'members'],
  queryFn: async () => (await api.get<{ users: User[] }>(`${PATH}/${id}/users`)).users,
});

export const createGroup = (fields: Omit<Group, 'id'>): Promise<unknown> => api.post(PATH, { group: fields });
export const updateGroup = (id: string, fields: Pick<Group, 'name' | 'description'>): Promise<unknown> =>
  api.patch(`${PATH}/${id}`, { group: fields });
export const deleteGroup = (id: string): Promise<unknown> => api.delete(`${PATH}/${id}`);
export const addToGroup = (id: string, userId: string): Promise<unknown> =>
  api.put(`${PATH}/${id}/users/${userId}`);
export const removeFromGroup = (id: string, userId: string): Promise<unknown> =>
  api.delete(`${PATH}/${id}/users/${userId}`);
