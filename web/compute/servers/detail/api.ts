// What the tabs of a server read beside the server, and the calls they make.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { all, api, type Query } from '../../../kit/api.ts';
import { BUSY_MS, livePace } from '../../../kit/live.ts';
import type { Server } from '../server.ts';

const SERVERS = '/compute/v2.1/servers';
const NETWORK = '/network/v2.0';

export type Action = {
  action: string;
  request_id: string;
  user_id: string | null;
  start_time: string;
  updated_at: string;
  message: string | null;
};

export type ActionEvent = {
  event: string;
  start_time: string;
  /** null: under way. */
  finish_time: string | null;
  result: string | null;
  details: string | null;
  host?: string | null;
};

const ACTIONS_A_PAGE = 15;

export const actionsQuery = (id: string, pace: number) =>
  infiniteQueryOptions({
    queryKey: ['servers', 'one', id, 'actions'],
    initialPageParam: null as string | null,
    queryFn: async ({ signal, pageParam: marker }) =>
      (
        await api.get<{ instanceActions: Action[] }>(
          `${SERVERS}/${id}/os-instance-actions`,
          { limit: ACTIONS_A_PAGE, marker: marker ?? undefined },
          signal,
        )
      ).instanceActions,
    getNextPageParam: (page) =>
      page.length < ACTIONS_A_PAGE ? undefined : (page.at(-1)?.request_id ?? undefined),
    refetchInterval: pace,
  });

export const actionQuery = (id: string, requestId: string) =>
  queryOptions({
    queryKey: ['servers', 'one', id, 'actions', requestId],
    queryFn: async ({ signal }) =>
      (
        await api.get<{ instanceAction: Action & { events: ActionEvent[] } }>(
          `${SERVERS}/${id}/os-instance-actions/${requestId}`,
          {},
          signal,
        )
      ).instanceAction.events,
    staleTime: ({ state: { data } }) => (data?.every(isFinished) === true ? Infinity : 0),
    refetchInterval: ({ state: { data } }) => (data?.every(isFinished) === false ? BUSY_MS : false),
  });

const isFinished = ({ finish_time }: ActionEvent): boolean => finish_time !== null;

export type FixedIp = { subnet_id: string; ip_address: string };

export type Port = {
  id: string;
  name: string;
  network_id: string;
  mac_address: string;
  status: string;
  device_id: string;
  fixed_ips: readonly FixedIp[];
  security_groups: readonly string[];
  port_security_enabled: boolean;
};

export const portsQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['servers', 'one', serverId, 'ports'],
    queryFn: ({ signal }) => all<Port>(`${NETWORK}/ports`, 'ports', { device_id: serverId }, signal),
    refetchInterval: ({ state: { data = [] } }) => livePace(data.map(({ status }) => status)),
  });

/** Ports that belong to nothing yet. */
export const freePortsQuery = (projectId: string) =>
  queryOptions({
    queryKey: ['servers', 'free-ports', projectId],
    queryFn: async ({ signal }) =>
      (await all<Port>(`${NETWORK}/ports`, 'ports', { project_id: projectId }, signal)).filter(
        ({ device_id }) => device_id === '',
      ),
  });

export type Network = {
  id: string;
  name: string;
  project_id: string;
  shared: boolean;
  'router:external': boolean;
  subnets: readonly string[];
  admin_state_up: boolean;
};

export const networksQuery = queryOptions({
  queryKey: ['servers', 'networks'],
  queryFn: ({ signal }) => all<Network>(`${NETWORK}/networks`, 'networks', {}, signal),
  staleTime: 15_000,
});

export type FloatingIp = {
  id: string;
  floating_ip_address: string;
  floating_network_id: string;
  fixed_ip_address: string | null;
  port_id: string | null;
  project_id: string;
  status: string;
};

export const floatingIpsQuery = (projectId: string) =>
  queryOptions({
    queryKey: ['servers', 'floating-ips', projectId],
    queryFn: ({ signal }) =>
      all<FloatingIp>(`${NETWORK}/floatingips`, 'floatingips', { project_id: projectId }, signal),
    refetchInterval: 15_000,
  });

/** The floating IP leads to one address of a port, or with null to none. */
export const pointFloatingIp = (id: string, to: { portId: string; address: string } | null): Promise<void> =>
  api.put(`${NETWORK}/floatingips/${id}`, {
    floatingip: to === null ? { port_id: null } : { port_id: to.portId, fixed_ip_address: to.address },
  });

export const makeFloatingIp = (
  networkId: string,
  projectId: string,
  to: { portId: string; address: string },
): Promise<void> =>
  api.post(`${NETWORK}/floatingips`, {
    floatingip: {
      floating_network_id: networkId,
      project_id: projectId,
      port_id: to.portId,
      fixed_ip_address: to.address,
    },
  });

export const attachInterface = (
  serverId: string,
  to: { port_id: string } | { net_id: string; fixed_ips?: { ip_address: string }[] },
): Promise<void> => api.post(`${SERVERS}/${serverId}/os-interface`, { interfaceAttachment: to });

export const detachInterface = (serverId: string, portId: string): Promise<void> =>
  api.delete(`${SERVERS}/${serverId}/os-interface/${portId}`);

export type SecurityGroup = { id: string; name: string; description: string; project_id: string };

export const securityGroupsQuery = (projectId: string) =>
  queryOptions({
    queryKey: ['servers', 'security-groups', projectId],
    queryFn: ({ signal }) =>
      all<SecurityGroup>(
        `${NETWORK}/security-groups`,
        'security_groups',
        { project_id: projectId, fields: ['id', 'name', 'description', 'project_id'] },
        signal,
      ),
  });

export type Attachment = {
  attachment_id: string;
  volumeId: string;
  device: string | null;
  delete_on_termination: boolean;
};

export type Volume = {
  id: string;
  name: string | null;
  /** GiB */
  size: number;
  status: string;
  bootable: string;
  volume_type: string | null;
};

export const attachmentsQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['servers', 'one', serverId, 'volumes'],
    queryFn: async ({ signal }) =>
      (
        await api.get<{ volumeAttachments: Attachment[] }>(
          `${SERVERS}/${serverId}/os-volume_attachments`,
          {},
          signal,
        )
      ).volumeAttachments,
    refetchInterval: 15_000,
  });

/** The volumes of a server's project, as far as the one who asks may see them. */
export const volumesQuery = (ownProjectId: string, { tenant_id: projectId }: Pick<Server, 'tenant_id'>) =>
  queryOptions({
    queryKey: ['servers', 'volumes', ownProjectId, projectId],
    queryFn: ({ signal }) => {
      const query: Query = ownProjectId === projectId ? {} : { all_tenants: true, project_id: projectId };
      return all<Volume>(`/volume/v3/${ownProjectId}/volumes/detail`, 'volumes', query, signal);
    },
    refetchInterval: ({ state: { data = [] } }) => livePace(data.map(({ status }) => status)),
  });

const attachments = (serverId: string): string => `${SERVERS}/${serverId}/os-volume_attachments`;

export const attachVolume = (
  serverId: string,
  volumeAttachment: { volumeId: string; delete_on_termination: boolean },
): Promise<void> => api.post(attachments(serverId), { volumeAttachment });

export const keepVolume = (serverId: string, volumeId: string, goesWithServer: boolean): Promise<void> =>
  api.put(`${attachments(serverId)}/${volumeId}`, {
    volumeAttachment: { volumeId, delete_on_termination: goesWithServer },
  });

export const detachVolume = (serverId: string, volumeId: string): Promise<void> =>
  api.delete(`${attachments(serverId)}/${volumeId}`);

export const setMetadata = (serverId: string, metadata: Readonly<Record<string, string>>): Promise<void> =>
  api.put(`${SERVERS}/${serverId}/metadata`, { metadata });

export const setTags = (serverId: string, tags: readonly string[]): Promise<void> =>
  api.put(`${SERVERS}/${serverId}/tags`, { tags });
