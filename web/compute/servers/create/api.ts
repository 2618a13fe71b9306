// What the create form reads beside images, flavors and networks, and what it sends.
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { all, api } from '../../../kit/api.ts';
import type { Refusal } from '../refusal.ts';
import type { Limits } from './quota.ts';

const COMPUTE = '/compute/v2.1';

export const limitsQuery = queryOptions({
  queryKey: ['servers', 'limits'],
  queryFn: async ({ signal }) =>
    (await api.get<{ limits: { absolute: Limits } }>(`${COMPUTE}/limits`, {}, signal)).limits.absolute,
});

export const zonesQuery = queryOptions({
  queryKey: ['servers', 'zones'],
  queryFn: async ({ signal }) =>
    (
      await api.get<{ availabilityZoneInfo: { zoneName: string; zoneState: { available: boolean } }[] }>(
        `${COMPUTE}/os-availability-zone`,
        {},
        signal,
      )
    ).availabilityZoneInfo.filter(({ zoneState }) => zoneState.available),
  staleTime: 60_000,
});

export type ServerGroup = { id: string; name: string; policy: string };

export const serverGroupsQuery = queryOptions({
  queryKey: ['servers', 'server-groups'],
  queryFn: async ({ signal }) =>
    (await api.get<{ server_groups: ServerGroup[] }>(`${COMPUTE}/os-server-groups`, {}, signal))
      .server_groups,
});

export type Snapshot = { id: string; name: string | null; size: number; status: string; volume_id: string };

export const snapshotsQuery = (projectId: string) =>
  queryOptions({
    queryKey: ['servers', 'snapshots', projectId],
    queryFn: ({ signal }) =>
      all<Snapshot>(`/volume/v3/${projectId}/snapshots/detail`, 'snapshots', {}, signal),
  });

/** What would come of a create: docs/operate, "Would a server be placed?". */
export type Placement = {
  possible: boolean;
  /** What stands in the way; null: nothing. */
  message: string | null;
  servers: number;
  placed: number;
  zone: string | null;
  /** Told to operators. */
  host: string | null;
  considered: number;
  quota: readonly {
    resource: string;
    of: 'project' | 'user';
    requested: number;
    in_use: number;
    limit: number;
    fits: boolean;
  }[];
  reasons: readonly Refusal[];
};

/** `body`: the request as text; '': it is not complete yet. */
export const placementQuery = (body: string) =>
  queryOptions({
    queryKey: ['servers', 'placement', body],
    queryFn: async ({ signal }) =>
      (
        await api.post<{ placement: Placement }>(
          `${COMPUTE}/strata-dry-run/servers`,
          JSON.parse(body) as object,
          { signal },
        )
      ).placement,
    enabled: body !== '',
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 5_000,
    gcTime: 30_000,
  });

export const createServers = async (body: object): Promise<{ id: string }> =>
  (await api.post<{ server: { id: string } }>(`${COMPUTE}/servers`, body)).server;
