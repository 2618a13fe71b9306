// What the overview reads of the project: what has failed, with the reason that the services give.
import { api } from '../kit/api.ts';
import { CALM_MS } from '../kit/live.ts';
import type { Failed, FailedKind } from './attention.ts';

type Named = { id: string; name: string | null };
type Server = Named & { fault?: { message: string } };
type FloatingIp = { id: string; floating_ip_address: string };
type Message = { resource_uuid: string; user_message: string };

/** More than anybody reads; the lists show all. */
const MOST = 20;

const plain = (rows: readonly Named[]): Failed[] =>
  rows.map(({ id, name }) => ({ id, name: name ?? '', reason: null }));

async function failedServers(): Promise<Failed[]> {
  const { servers } = await api.get<{ servers: Server[] }>('/compute/v2.1/servers/detail', {
    status: 'ERROR',
    limit: MOST,
  });
  return servers.map(({ id, name, fault }) => ({ id, name: name ?? '', reason: fault?.message ?? null }));
}

/** Cinder puts before the reason what it was doing: 'schedule allocate volume:No valid host …'. */
const reasonOf = (message: string | undefined): string | null => message?.replace(/^[a-z ]+:\s*/, '') ?? null;

async function failedVolumes(projectId: string): Promise<Failed[]> {
  const base = `/volume/v3/${projectId}`;
  const { volumes } = await api.get<{ volumes: Named[] }>(`${base}/volumes/detail`, {
    status: 'error',
    limit: MOST,
  });
  if (volumes.length === 0) return [];
  const { messages } = await api.get<{ messages: Message[] }>(`${base}/messages`, { limit: 100 });
  return volumes.map(({ id, name }) => ({
    id,
    name: name ?? '',
    reason: reasonOf(messages.find((one) => one.resource_uuid === id)?.user_message),
  }));
}

/** Of the project alone, also for an operator. */
export async function readFailed(projectId: string): Promise<Record<FailedKind, Failed[]>> {
  const own = { project_id: projectId, status: 'ERROR', limit: MOST };
  const [server, volume, routers, floatingIps, images] = await Promise.all([
    failedServers(),
    failedVolumes(projectId),
    api.get<{ routers: Named[] }>('/network/v2.0/routers', own),
    api.get<{ floatingips: FloatingIp[] }>('/network/v2.0/floatingips', own),
    api.get<{ images: Named[] }>('/image/v2/images', { owner: projectId, status: 'killed', limit: MOST }),
  ]);
  return {
    server,
    volume,
    router: plain(routers.routers),
    floatingIp: floatingIps.floatingips.map(({ id, floating_ip_address: name }) => ({
      id,
      name,
      reason: null,
    })),
    image: plain(images.images),
  };
}

export const failedQuery = (projectId: string) => ({
  queryKey: ['failed', projectId],
  queryFn: () => readFailed(projectId),
  refetchInterval: CALM_MS,
});
