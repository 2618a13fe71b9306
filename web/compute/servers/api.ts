// What the pages of servers read of the API, and the calls they make.
import { queryOptions } from '@tanstack/react-query';
import { all, api, ApiError } from '../../kit/api.ts';
import { livePace } from '../../kit/live.ts';
import type { ActionName } from './allowed-actions.ts';
import { livelyState, paceFor, type ImageKind, type Server } from './server.ts';

const SERVERS = '/compute/v2.1/servers';

export const serversQuery = (everywhere: boolean) =>
  queryOptions({
    queryKey: ['servers', 'list', everywhere],
    queryFn: ({ signal }) =>
      all<Server>(`${SERVERS}/detail`, 'servers', everywhere ? { all_tenants: true } : {}, signal),
    refetchInterval: ({ state: { data = [] } }) => paceFor(livePace(data.map(livelyState)), data.length),
  });

export const serverQuery = (id: string) =>
  queryOptions({
    queryKey: ['servers', 'one', id],
    queryFn: async ({ signal }) => (await api.get<{ server: Server }>(`${SERVERS}/${id}`, {}, signal)).server,
    refetchInterval: ({ state: { data, error } }) =>
      error instanceof ApiError && error.status === 404
        ? false
        : livePace(data === undefined ? [] : [livelyState(data)]),
  });

export type Image = ImageKind & {
  id: string;
  name: string | null;
  status: string;
  visibility: string;
  /** Bytes */
  size: number | null;
  /** Bytes */
  virtual_size: number | null;
  /** MiB */
  min_ram: number;
  /** GiB */
  min_disk: number;
  os_distro?: string;
};

export const imagesQuery = queryOptions({
  queryKey: ['servers', 'images'],
  queryFn: ({ signal }) => all<Image>('/image/v2/images', 'images', {}, signal),
  staleTime: 30_000,
  select: (images): ReadonlyMap<string, Image> => new Map(images.map((image) => [image.id, image])),
});

/** An image that lists do not show, such as a hidden one. */
export const imageQuery = (id: string) =>
  queryOptions({
    queryKey: ['servers', 'images', id],
    queryFn: ({ signal }) => api.get<Image>(`/image/v2/images/${id}`, {}, signal),
    staleTime: 30_000,
  });

/** e.g. `act(id, 'os-start', null)`; whatever the action answers. */
export const act = <T = unknown>(id: string, action: string, body: unknown): Promise<T> =>
  api.post<T>(`${SERVERS}/${id}/action`, { [action]: body });

export const deleteServer = (id: string): Promise<void> => api.delete(`${SERVERS}/${id}`);

export const updateServer = (
  id: string,
  changes: { name?: string; description?: string | null },
): Promise<void> => api.put(`${SERVERS}/${id}`, { server: changes });

/** `projectId`: of the token. */
export const snapshotVolume = (projectId: string, volumeId: string, name: string): Promise<void> =>
  api.post(`/volume/v3/${projectId}/snapshots`, { snapshot: { volume_id: volumeId, name } });

/** The actions that need nothing but to be asked for. */
export const simpleCalls = {
  start: (id) => act(id, 'os-start', null),
  stop: (id) => act(id, 'os-stop', null),
  softReboot: (id) => act(id, 'reboot', { type: 'SOFT' }),
  hardReboot: (id) => act(id, 'reboot', { type: 'HARD' }),
  pause: (id) => act(id, 'pause', null),
  unpause: (id) => act(id, 'unpause', null),
  suspend: (id) => act(id, 'suspend', null),
  resume: (id) => act(id, 'resume', null),
  confirmResize: (id) => act(id, 'confirmResize', null),
  revertResize: (id) => act(id, 'revertResize', null),
  unrescue: (id) => act(id, 'unrescue', null),
  shelve: (id) => act(id, 'shelve', null),
  shelveOffload: (id) => act(id, 'shelveOffload', null),
  unshelve: (id) => act(id, 'unshelve', null),
  unlock: (id) => act(id, 'unlock', null),
  crashDump: (id) => act(id, 'trigger_crash_dump', null),
  delete: deleteServer,
  forceDelete: (id) => act(id, 'forceDelete', null),
} satisfies Partial<Record<ActionName, (id: string) => Promise<unknown>>>;

export type SimpleAction = keyof typeof simpleCalls;

export const isSimple = (action: ActionName): action is SimpleAction => Object.hasOwn(simpleCalls, action);

export type Flavor = {
  id: string;
  name: string;
  vcpus: number;
  /** MiB */
  ram: number;
  /** GiB; 0: as large as the image. */
  disk: number;
  /** GiB */
  'OS-FLV-EXT-DATA:ephemeral': number;
  /** MiB */
  swap: number;
  'OS-FLV-DISABLED:disabled'?: boolean;
  extra_specs?: Readonly<Record<string, string>>;
};

export const flavorsQuery = queryOptions({
  queryKey: ['servers', 'flavors'],
  queryFn: ({ signal }) => all<Flavor>('/compute/v2.1/flavors/detail', 'flavors', {}, signal),
  staleTime: 30_000,
});
