// Networks as the compute service hands them on to clients that are older than the network service.
import type { Ctx } from '../../../kernel/platform.ts';
import { readableNetwork, visibleNetworks } from './schema.ts';

export type NamedNetwork = { id: string; name: string };

export type NetworkListApi = {
  /** Those that the actor may read, oldest first. */
  list(ctx: Ctx): Promise<NamedNetwork[]>;
  /** 404 when the actor may not read it. */
  show(ctx: Ctx, id: string): Promise<NamedNetwork>;
};

export const networkListApi: NetworkListApi = {
  async list(ctx) {
    const rows = await visibleNetworks(ctx.platform.db.read, ctx.actor)
      .orderBy('networks.created_at')
      .orderBy('networks.id')
      .execute();
    return rows.map(({ id, name }) => ({ id, name }));
  },
  async show(ctx, id) {
    const row = await readableNetwork(ctx.platform.db.read, ctx.actor, id);
    return { id: row.id, name: row.name };
  },
};
