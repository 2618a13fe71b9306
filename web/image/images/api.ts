// Images as the image API tells of them, and the calls that change them.
import { queryOptions } from '@tanstack/react-query';
import { all, api, ApiError, request } from '../../kit/api.ts';
import { livePace } from '../../kit/live.ts';

const IMAGES = '/image/v2/images';

export type Visibility = 'public' | 'private' | 'shared' | 'community';

export type Image = {
  id: string;
  name: string | null;
  status: string;
  visibility: Visibility;
  /** Project id. */
  owner: string;
  disk_format: string | null;
  container_format: string | null;
  /** Bytes; null: no content yet. */
  size: number | null;
  /** Bytes of the disk that a guest sees. */
  virtual_size: number | null;
  checksum: string | null;
  os_hash_algo: string | null;
  os_hash_value: string | null;
  os_hidden: boolean;
  /** MiB, GiB. */
  min_ram: number;
  min_disk: number;
  protected: boolean;
  tags: readonly string[];
  created_at: string;
  updated_at: string;
  /** What the standard attributes do not say: custom properties. */
  [property: string]: unknown;
};

export type Member = {
  member_id: string;
  status: 'pending' | 'accepted' | 'rejected';
  created_at: string;
  updated_at: string;
};

export type ImportTask = {
  id: string;
  status: 'pending' | 'processing' | 'success' | 'failure';
  message: string;
  created_at: string;
  input: { import_req?: { method?: { name?: string; uri?: string } } } | null;
};

const STANDARD: ReadonlySet<string> = new Set([
  'id', 'name', 'status', 'visibility', 'owner', 'disk_format', 'container_format', 'size', 'virtual_size', 'checksum',
  'os_hash_algo', 'os_hash_value', 'os_hidden', 'min_ram', 'min_disk', 'protected', 'tags', 'created_at', 'updated_at',
  'self', 'file', 'schema', 'stores', 'locations', 'direct_url',
]); // prettier-ignore

/** What its owner wrote on it besides the standard attributes. */
export const customProperties = (image: Image): Record<string, string> =>
  Object.fromEntries(
    Object.entries(image)
      .filter(([name]) => !STANDARD.has(name) && !name.startsWith('os_glance_'))
      .map(([name, value]) => [name, String(value)]),
  );

/** What a server made from it is; as the cloud itself decides. */
export const kindOf = (
  image: Pick<Image, 'container_format'> & Record<string, unknown>,
): 'vm' | 'container' =>
  image.container_format === 'docker' || image['strata:type'] === 'container' ? 'container' : 'vm';

/** `community` and `hidden` are in no list that does not ask for them. */
export type Shelf = 'listed' | 'community' | 'hidden';

const shelves: Readonly<Record<Shelf, Record<string, string>>> = {
  // Also what somebody shares with the project before it has said yes.
  listed: { member_status: 'all' },
  community: { visibility: 'community' },
  hidden: { os_hidden: 'true' },
};

/** A queued image waits for whoever made it, maybe for ever. */
const paceOf = (states: readonly string[]): number => livePace(states.filter((state) => state !== 'queued'));

export const imagesQuery = (shelf: Shelf) =>
  queryOptions({
    queryKey: ['images', 'list', shelf],
    queryFn: ({ signal }) => all<Image>(IMAGES, 'images', shelves[shelf], signal),
    refetchInterval: ({ state }) => paceOf((state.data ?? []).map(({ status }) => status)),
  });

export const imageQuery = (id: string) =>
  queryOptions({
    queryKey: ['images', 'one', id],
    queryFn: ({ signal }) => api.get<Image>(`${IMAGES}/${id}`, {}, signal),
    refetchInterval: ({ state }) => paceOf([state.data?.status ?? '']),
  });

export const membersQuery = (id: string) =>
  queryOptions({
    queryKey: ['images', 'members', id],
    queryFn: async ({ signal }) =>
      (await api.get<{ members: Member[] }>(`${IMAGES}/${id}/members`, {}, signal)).members,
  });

/** Newest first. */
export const tasksQuery = (id: string) =>
  queryOptions({
    queryKey: ['images', 'tasks', id],
    queryFn: async ({ signal }) =>
      (await api.get<{ tasks: ImportTask[] }>(`${IMAGES}/${id}/tasks`, {}, signal)).tasks,
  });

/** e.g. ['glance-direct', 'web-download'] */
export const importMethodsQuery = queryOptions({
  queryKey: ['images', 'import-methods'],
  queryFn: async ({ signal }) =>
    (await api.get<{ 'import-methods': { value: string[] } }>('/image/v2/info/import', {}, signal))[
      'import-methods'
    ].value,
  staleTime: Infinity,
});

export const createImage = (attributes: object): Promise<Image> => api.post(IMAGES, attributes);

export const deleteImage = (id: string): Promise<void> => api.delete(`${IMAGES}/${id}`);

export const importFrom = (id: string, uri: string): Promise<void> =>
  api.post(`${IMAGES}/${id}/import`, { method: { name: 'web-download', uri } });

/** An image whose content the cloud fetches itself; nothing is left behind when it will not. */
export async function createFrom(attributes: object, uri: string): Promise<void> {
  const { id } = await createImage(attributes);
  try {
    await importFrom(id, uri);
  } catch (error) {
    await deleteImage(id).catch(() => {});
    throw error;
  }
}

export type Patch = readonly { op: 'add' | 'replace' | 'remove'; path: string; value?: unknown }[];

export const patchImage = (id: string, patch: Patch): Promise<Image> =>
  api.patch(`${IMAGES}/${id}`, patch, {
    headers: { 'content-type': 'application/openstack-images-v2.1-json-patch' },
  });

export const setActive = (id: string, active: boolean): Promise<void> =>
  api.post(`${IMAGES}/${id}/actions/${active ? 'reactivate' : 'deactivate'}`);

export const share = (id: string, member: string): Promise<void> =>
  api.post(`${IMAGES}/${id}/members`, { member });

export const unshare = (id: string, member: string): Promise<void> =>
  api.delete(`${IMAGES}/${id}/members/${member}`);

export const answerShare = (id: string, member: string, status: Member['status']): Promise<void> =>
  api.put(`${IMAGES}/${id}/members/${member}`, { status });

export const statusOf = async (id: string): Promise<string> =>
  (await api.get<Image>(`${IMAGES}/${id}`)).status;

/** What is gone already is fine. */
export const forgetImage = (id: string): Promise<void> =>
  deleteImage(id).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  });

export const contentPath = (id: string): string => `${IMAGES}/${id}/file`;

export const openContent = (id: string, signal: AbortSignal): Promise<Response> =>
  request('GET', contentPath(id), { signal, headers: { accept: 'application/octet-stream' } });
