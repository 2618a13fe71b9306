// Addresses of subnets: which are free, and which port holds which. Free addresses are kept as ranges, so
// that a claim costs the same in a pool of three and in one of a million, fills it to the last address, and
// knows at once that it is empty. What was never used goes first, then what has been free for longest:
// an address does not come back while its last holder is still in some neighbour's cache.
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { chunks } from '../rows.ts';
import {
  addressText,
  keyOf,
  parseAddress,
  valueOf,
  within,
  without,
  type IpVersion,
  type Range,
} from '../subnets/addressing.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    ip_allocations: {
      subnet_id: string;
      ip_address: string;
      port_id: string;
      network_id: string;
      /** order within the port */ position: number;
    };
    /** Keys as keyOf() writes them; the ranges of a subnet never overlap. */
    free_addresses: {
      subnet_id: string;
      first_key: string;
      last_key: string;
      /** 0: never used */ freed_at: number;
    };
  }
}

export const addressMigration: Migration = {
  id: 'network-0004-addresses',
  async up(db) {
    await db.schema
      .createTable('ip_allocations')
      .addColumn('subnet_id', 'text', (c) => c.notNull())
      .addColumn('ip_address', 'text', (c) => c.notNull())
      .addColumn('port_id', 'text', (c) => c.notNull())
      .addColumn('network_id', 'text', (c) => c.notNull())
      .addColumn('position', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('ip_allocations_pk', ['subnet_id', 'ip_address'])
      .execute();
    await db.schema
      .createIndex('ip_allocations_port')
      .on('ip_allocations')
      .columns(['port_id', 'position'])
      .execute();
    await db.schema.createIndex('ip_allocations_address').on('ip_allocations').column('ip_address').execute();
    await db.schema
      .createTable('free_addresses')
      .addColumn('subnet_id', 'text', (c) => c.notNull())
      .addColumn('first_key', 'text', (c) => c.notNull())
      .addColumn('last_key', 'text', (c) => c.notNull())
      .addColumn('freed_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('free_addresses_pk', ['subnet_id', 'first_key'])
      .execute();
    await db.schema
      .createIndex('free_addresses_order')
      .on('free_addresses')
      .columns(['subnet_id', 'freed_at', 'first_key'])
      .execute();
  },
};

export type Holder = { portId: string; networkId: string; position: number };
type Subnet = { id: string; ip_version: number };
const versionOf = (subnet: Subnet): IpVersion => (subnet.ip_version === 4 ? 4 : 6);
const after = (key: string): string => (valueOf(key) + 1n).toString(16).padStart(key.length, '0');
const before = (key: string): string => (valueOf(key) - 1n).toString(16).padStart(key.length, '0');

const insertAllocation = (tx: Tx, subnetId: string, ip: string, holder: Holder) =>
  tx
    .insertInto('ip_allocations')
    .values({
      subnet_id: subnetId,
      ip_address: ip,
      port_id: holder.portId,
      network_id: holder.networkId,
      position: holder.position,
    })
    .onConflict((oc) => oc.columns(['subnet_id', 'ip_address']).doNothing())
    .executeTakeFirst();

/** The next free address of the subnet's pools, now held; null: they are exhausted. */
export async function takeNextAddress(tx: Tx, subnet: Subnet, holder: Holder): Promise<string | null> {
  const range = await tx
    .selectFrom('free_addresses')
    .select(['first_key', 'last_key'])
    .where('subnet_id', '=', subnet.id)
    .orderBy('freed_at')
    .orderBy('first_key')
    .limit(1)
    .executeTakeFirst();
  if (range === undefined) return null;
  if (range.first_key === range.last_key)
    await tx
      .deleteFrom('free_addresses')
      .where('subnet_id', '=', subnet.id)
      .where('first_key', '=', range.first_key)
      .execute();
  else
    await tx
      .updateTable('free_addresses')
      .set({ first_key: after(range.first_key) })
      .where('subnet_id', '=', subnet.id)
      .where('first_key', '=', range.first_key)
      .execute();
  const ip = addressText(versionOf(subnet), valueOf(range.first_key));
  const inserted = await insertAllocation(tx, subnet.id, ip, holder);
  if (inserted.numInsertedOrUpdatedRows === 0n)
    throw new Error(`subnet ${subnet.id}: ${ip} is both free and held`);
  return ip;
}

/** Holds exactly `ip` (canonical text, inside the subnet's CIDR, in a pool or not); false: it is held already. */
export async function takeAddress(tx: Tx, subnet: Subnet, ip: string, holder: Holder): Promise<boolean> {
  const value = parseAddress(ip)?.value;
  if (value === undefined) return false;
  if ((await insertAllocation(tx, subnet.id, ip, holder)).numInsertedOrUpdatedRows === 0n) return false;
  const key = keyOf(versionOf(subnet), value);
  const range = await tx
    .selectFrom('free_addresses')
    .selectAll()
    .where('subnet_id', '=', subnet.id)
    .where('first_key', '<=', key)
    .orderBy('first_key', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (range === undefined || range.last_key < key) return true;
  await tx
    .deleteFrom('free_addresses')
    .where('subnet_id', '=', subnet.id)
    .where('first_key', '=', range.first_key)
    .execute();
  const rest = [
    ...(range.first_key < key ? [{ ...range, last_key: before(key) }] : []),
    ...(range.last_key > key ? [{ ...range, first_key: after(key) }] : []),
  ];
  if (rest.length > 0) await tx.insertInto('free_addresses').values(rest).execute();
  return true;
}

export const poolsOf = (subnet: { allocation_pools: string }): { start: string; end: string }[] =>
  JSON.parse(subnet.allocation_pools) as { start: string; end: string }[];
export const rangesOf = (pools: readonly { start: string; end: string }[]): Range[] =>
  pools.map(({ start, end }) => ({
    first: parseAddress(start)?.value ?? 0n,
    last: parseAddress(end)?.value ?? -1n,
  }));

/** Frees all addresses of these ports, or only `ips` of theirs. */
export async function releaseAddresses(
  tx: Tx,
  now: number,
  portIds: readonly string[],
  ips: readonly string[] | null = null,
): Promise<void> {
  for (const part of chunks(portIds)) {
    let query = tx
      .selectFrom('ip_allocations as a')
      .innerJoin('subnets as s', 's.id', 'a.subnet_id')
      .select(['a.subnet_id', 'a.ip_address', 's.allocation_pools'])
      .where('a.port_id', 'in', part);
    let deletion = tx.deleteFrom('ip_allocations').where('port_id', 'in', part);
    if (ips !== null) {
      if (ips.length === 0) return;
      query = query.where('a.ip_address', 'in', [...ips]);
      deletion = deletion.where('ip_address', 'in', [...ips]);
    }
    const held = await query.execute();
    if (held.length === 0) continue;
    await deletion.execute();
    const free = held.flatMap((row) => {
      const address = parseAddress(row.ip_address);
      if (address === null || !rangesOf(poolsOf(row)).some((range) => within(range, address.value)))
        return [];
      const key = keyOf(address.version, address.value);
      return [{ subnet_id: row.subnet_id, first_key: key, last_key: key, freed_at: now }];
    });
    if (free.length > 0) await tx.insertInto('free_addresses').values(free).execute();
  }
}

/** Writes the subnet's free ranges anew: its pools without what is held. */
export async function resetFreeAddresses(
  tx: Tx,
  subnet: Subnet & { allocation_pools: string },
): Promise<void> {
  const held = await tx
    .selectFrom('ip_allocations')
    .select('ip_address')
    .where('subnet_id', '=', subnet.id)
    .execute();
  const ranges = without(
    rangesOf(poolsOf(subnet)),
    held.flatMap((row) => parseAddress(row.ip_address)?.value ?? []),
  );
  await tx.deleteFrom('free_addresses').where('subnet_id', '=', subnet.id).execute();
  for (const part of chunks(ranges, 200))
    await tx
      .insertInto('free_addresses')
      .values(
        part.map((range) => ({
          subnet_id: subnet.id,
          first_key: keyOf(versionOf(subnet), range.first),
          last_key: keyOf(versionOf(subnet), range.last),
          freed_at: 0,
        })),
      )
      .execute();
}
