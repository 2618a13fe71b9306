// Users: api-ref Identity v3, "Users".
import { all, api } from '../../kit/api.ts';
import { CALM_MS } from '../../kit/live.ts';

export type User = {
  id: string;
  name: string;
  domain_id: string;
  enabled: boolean;
  email?: string;
  description?: string;
  default_project_id?: string;
  /** null: never. */
  password_expires_at: string | null;
};

export type UserFields = {
  name: string;
  domain_id?: string;
  email?: string;
  description?: string;
  enabled?: boolean;
  default_project_id?: string;
  password?: string;
};

const PATH = '/identity/v3/users';

/** For operators. */
export const usersQuery = {
  queryKey: ['users'],
  queryFn: () => all<User>(PATH, 'users'),
  refetchInterval: CALM_MS,
};
export const userQuery = (id: string) => ({
  queryKey: ['users', id],
  queryFn: async () => (await api.get<{ user: User }>(`${PATH}/${id}`)).user,
});

export const createUser = async (fields: UserFields): Promise<User> =>
  (await api.post<{ user: User }>(PATH, { user: fields })).user;
export const updateUser = (id: string, fields: Partial<UserFields>): Promise<unknown> =>
  api.patch(`${PATH}/${id}`, { user: fields });
export const deleteUser = (id: string): Promise<unknown> => api.delete(`${PATH}/${id}`);
