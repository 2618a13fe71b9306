// Hints to the scheduler that name servers: api-ref "Create Server", os:scheduler_hints. Where those servers are is
// looked up in the transaction of the create; the scheduler gets hosts.
import { Type, type Static } from 'typebox';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { idOf, strict } from '../../../kernel/schema.ts';
import type { PlacementRequest } from '../../placement/index.ts';
import { findServer } from './store.ts';

const servers = Type.Union([idOf('server'), Type.Array(idOf('server'), { minItems: 1, maxItems: 100 })]);
export const hints = strict({
  group: Type.Optional(idOf('server-group')),
  same_host: Type.Optional(servers),
  different_host: Type.Optional(servers),
});
export type Hints = Static<typeof hints>;

const listOf = (value: string | string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

async function hostsOf(tx: Tx, ctx: Ctx, name: string, ids: readonly string[]): Promise<string[]> {
  const hosts: string[] = [];
  for (const id of new Set(ids)) {
    const row = await findServer(tx, ctx, id).catch(() => {
      throw badRequest(`Invalid input for field/attribute ${name}. Instance ${id} could not be found.`);
    });
    if (row.host_id !== null) hosts.push(row.host_id);
  }
  return hosts;
}

/** undefined: nothing was hinted. A server to be near that is on no host asks for nothing. */
export async function hintedHosts(
  tx: Tx,
  ctx: Ctx,
  asked: Hints | undefined,
): Promise<PlacementRequest['hinted']> {
  const same = await hostsOf(tx, ctx, 'same_host', listOf(asked?.same_host));
  const different = await hostsOf(tx, ctx, 'different_host', listOf(asked?.different_host));
  if (same.length === 0 && different.length === 0) return undefined;
  return { among: same.length === 0 ? null : same, not: different };
}
