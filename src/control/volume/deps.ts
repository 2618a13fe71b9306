// What block storage needs of the other services.
import type { Tx } from '../../kernel/db/index.ts';
import type { Ctx } from '../../kernel/platform.ts';
import type { HostService } from '../host/index.ts';
import type { ImageApi } from '../image/index.ts';

export type VolumeDeps = {
  hosts: HostService;
  images: ImageApi;
  /** 404 when the actor may not see the server. */
  requireServer(tx: Tx, ctx: Ctx, serverId: string): Promise<void>;
  /** What servers have of their volumes is not as it was. */
  serversChanged(tx: Tx, serverIds: string[]): Promise<void>;
};

/** Takes a volume or snapshot from its host. */
export const dropItem =
  ({ hosts }: Pick<VolumeDeps, 'hosts'>, kind: 'volume' | 'snapshot') =>
  (tx: Tx, id: string): Promise<void> =>
    hosts.items.drop(tx, kind, id);
