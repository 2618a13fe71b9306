// Volumes as the volume API tells of them, and the calls that change them.
import { queryOptions } from '@tanstack/react-query';
import { all, api } from '../../kit/api.ts';
import { CALM_MS, livePace } from '../../kit/live.ts';
import { currentSession, type Named } from '../../kit/session.ts';

export type Attachment = {
  server_id: string | null;
  attachment_id: string;
  attached_at: string | null;
  device: string | null;
};

export type Volume = {
  id: string;
  name: string | null;
  description: string | null;
  status: string;
  /** GiB. */
  size: number;
  volume_type: string;
  bootable: 'true' | 'false';
  availability_zone: string;
  snapshot_id: string | null;
  source_volid: string | null;
  group_id: string | null;
  metadata: Readonly<Record<string, string>>;
  volume_image_metadata?: Readonly<Record<string, string>>;
  attachments: readonly Attachment[];
  created_at: string;
  updated_at: string | null;
  'os-vol-tenant-attr:tenant_id': string;
  /** Only operators are told. */
  'os-vol-host-attr:host'?: string | null;
};

export type VolumeType = Named & { description: string | null; is_public: boolean };

export type Transfer = {
  id: string;
  volume_id: string;
  name: string | null;
  created_at: string;
  no_snapshots: boolean;
};

export type Message = { id: string; user_message: string; created_at: string; request_id: string };

export type Limits = {
  maxTotalVolumes: number;
  totalVolumesUsed: number;
  maxTotalVolumeGigabytes: number;
  totalGigabytesUsed: number;
};

/** Below the project of the session. */
export const volumePath = (path: string): string =>
  `/volume/v3/${currentSession()?.project?.id ?? ''}${path}`;

/** An offer may wait for days, and a reservation for whoever made it. */
export const paceOf = (states: readonly string[]): number =>
  livePace(states.filter((state) => !['awaiting-transfer', 'reserved'].includes(state)));

export const volumesQuery = (everywhere: boolean) =>
  queryOptions({
    queryKey: ['volumes', 'list', everywhere],
    queryFn: ({ signal }) =>
      all<Volume>(volumePath('/volumes/detail'), 'volumes', everywhere ? { all_tenants: true } : {}, signal),
    refetchInterval: ({ state }) => paceOf((state.data ?? []).map(({ status }) => status)),
  });

export const volumeQuery = (id: string) =>
  queryOptions({
    queryKey: ['volumes', 'one', id],
    queryFn: async ({ signal }) =>
      (await api.get<{ volume: Volume }>(volumePath(`/volumes/${id}`), {}, signal)).volume,
    refetchInterval: ({ state }) => (state.error === null ? paceOf([state.data?.status ?? '']) : CALM_MS),
  });

export const typesQuery = queryOptions({
  queryKey: ['volumes', 'types'],
  queryFn: async ({ signal }) =>
    (await api.get<{ volume_types: VolumeType[] }>(volumePath('/types'), {}, signal)).volume_types,
  staleTime: 60_000,
});

export const defaultTypeQuery = queryOptions({
  queryKey: ['volumes', 'types', 'default'],
  queryFn: async ({ signal }) =>
    (await api.get<{ volume_type: VolumeType }>(volumePath('/types/default'), {}, signal)).volume_type,
  staleTime: 60_000,
});

/** Those of the project that nobody has taken yet. */
export const transfersQuery = queryOptions({
  queryKey: ['volumes', 'transfers'],
  queryFn: ({ signal }) =>
    api
      .get<{ transfers: Transfer[] }>(volumePath('/volume-transfers/detail'), {}, signal)
      .then(({ transfers }) => transfers),
  refetchInterval: CALM_MS,
});

export const limitsQuery = queryOptions({
  queryKey: ['volumes', 'limits'],
  queryFn: async ({ signal }) =>
    (await api.get<{ limits: { absolute: Limits } }>(volumePath('/limits'), {}, signal)).limits.absolute,
});

/** What went wrong with a volume, snapshot or backup; newest first. */
export const messagesQuery = (id: string) =>
  queryOptions({
    queryKey: ['volumes', 'messages', id],
    queryFn: async ({ signal }) =>
      (
        await api.get<{ messages: Message[] }>(
          volumePath('/messages'),
          { resource_uuid: id, all_tenants: true },
          signal,
        )
      ).messages,
  });

export type NewVolume = {
  name?: string;
  description?: string;
  /** GiB. */
  size: number;
  volume_type?: string;
  imageRef?: string;
  snapshot_id?: string;
  source_volid?: string;
  backup_id?: string;
};

export const createVolume = async (volume: NewVolume): Promise<Volume> =>
  (await api.post<{ volume: Volume }>(volumePath('/volumes'), { volume })).volume;

export const updateVolume = (
  id: string,
  volume: { name: string; description: string; metadata: Record<string, string> },
): Promise<void> => api.put(volumePath(`/volumes/${id}`), { volume });

/** With its snapshots, where there are any. */
export const deleteVolume = (id: string, cascade: boolean): Promise<void> =>
  api.delete(volumePath(`/volumes/${id}`), cascade ? { query: { cascade: true } } : {});

export const act = <T = void>(id: string, action: string, body: unknown): Promise<T> =>
  api.post<T>(volumePath(`/volumes/${id}/action`), { [action]: body });

const attachmentsPath = (server: string): string => `/compute/v2.1/servers/${server}/os-volume_attachments`;

export const attachVolume = (id: string, server: string, deleteOnTermination: boolean): Promise<void> =>
  api.post(attachmentsPath(server), {
    volumeAttachment: { volumeId: id, delete_on_termination: deleteOnTermination },
  });

export const detachVolume = (id: string, server: string): Promise<void> =>
  api.delete(`${attachmentsPath(server)}/${id}`);

/** Its key is answered this once. */
export const offerVolume = async (
  id: string,
  name: string,
  snapshots: boolean,
): Promise<{ id: string; auth_key: string }> =>
  (
    await api.post<{ transfer: { id: string; auth_key: string } }>(volumePath('/volume-transfers'), {
      transfer: { volume_id: id, ...(name === '' ? {} : { name }), no_snapshots: !snapshots },
    })
  ).transfer;

export const acceptOffer = (id: string, key: string): Promise<void> =>
  api.post(volumePath(`/volume-transfers/${id}/accept`), { accept: { auth_key: key } });

export const withdrawOffer = (id: string): Promise<void> => api.delete(volumePath(`/volume-transfers/${id}`));

export type ServerName = Named & { status: string };

/** Of the project, for choosing and for naming. */
export const serverNamesQuery = queryOptions({
  queryKey: ['volumes', 'servers'],
  queryFn: ({ signal }) => all<ServerName>('/compute/v2.1/servers/detail', 'servers', {}, signal),
  staleTime: 10_000,
});

export type SourceImage = Named & {
  /** Bytes. */
  size: number | null;
  virtual_size: number | null;
  /** GiB. */
  min_disk: number;
  container_format: string | null;
  status: string;
};

/** What a volume can be made of. */
export const sourceImagesQuery = queryOptions({
  queryKey: ['volumes', 'images'],
  queryFn: async ({ signal }) =>
    (await all<SourceImage>('/image/v2/images', 'images', { status: 'active' }, signal)).filter(
      (image) => image.container_format === 'bare',
    ),
  staleTime: 10_000,
});
