// Lists and single resources of the network service as queries that keep themselves up to date.
import { queryOptions } from '@tanstack/react-query';
import { paceFor } from '../compute/servers/server.ts';
import { all, api, type Query } from '../kit/api.ts';
import { livePace } from '../kit/live.ts';

type Resource = { id: string; status?: string };

/** All of a collection: `listOf<Port>('ports', 'ports', 'ports', { network_id })`; its key begins with `name`. */
export const listOf = <T extends Resource>(name: string, path: string, key: string, query: Query = {}) =>
  queryOptions({
    queryKey: [name, 'list', query],
    queryFn: ({ signal }) => all<T>(`/network/v2.0/${path}`, key, query, signal),
    refetchInterval: ({ state: { data } }) =>
      paceFor(
        livePace((data as T[] | undefined)?.map(({ status }) => status ?? '') ?? []),
        (data as T[] | undefined)?.length ?? 0,
      ),
  });

/** One of a collection: `oneOf<Port>('ports', 'ports', 'port', id)`. */
export const oneOf = <T extends Resource>(name: string, path: string, key: string, id: string) =>
  queryOptions({
    queryKey: [name, 'one', id],
    queryFn: async ({ signal }): Promise<T> => {
      const body = await api.get<Record<string, T>>(`/network/v2.0/${path}/${id}`, {}, signal);
      return body[key] as T;
    },
    refetchInterval: ({ state: { data } }) => livePace([(data as T | undefined)?.status ?? '']),
  });
