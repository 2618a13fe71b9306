// Who did something, as far as the one who looks may know.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { all } from '../../../kit/api.ts';
import { useText } from '../../../kit/language.tsx';
import { isOperator, useSession } from '../../../kit/session.ts';
import { detailText } from './text.ts';

const userNamesQuery = queryOptions({
  queryKey: ['servers', 'users'],
  queryFn: ({ signal }) => all<{ id: string; name: string }>('/identity/v3/users', 'users', {}, signal),
  staleTime: 60_000,
  select: (users): ReadonlyMap<string, string> => new Map(users.map(({ id, name }) => [id, name])),
});

export function useUserName(): (id: string) => string {
  const t = useText(detailText);
  const session = useSession();
  const { data } = useQuery({ ...userNamesQuery, enabled: isOperator(session) });
  return (id) => (id === session.user.id ? t.you(session.user.name) : (data?.get(id) ?? id.slice(0, 8)));
}
