// The one back end that there is, and which volume types it can serve: what a type asks of a back end, beyond what is
// said to users, must be true of it, as Cinder's CapabilitiesFilter has it.
import type { Db } from './table.ts';

/** As types name it. */
export const BACKEND = 'file';
/** Volumes take disk as they are written: as Cinder's max_over_subscription_ratio. */
export const OVERSUBSCRIPTION = 20;
export const MAX_SIZE_GIB = 1_048_576;

export const BACKEND_FACTS = {
  vendor_name: 'Strata',
  storage_protocol: 'file',
  multiattach: false,
  QoS_support: true,
  consistent_group_snapshot_enabled: false,
} as const;

const facts: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(BACKEND_FACTS).map(([key, value]) => [key, String(value)])),
  volume_backend_name: BACKEND,
  thin_provisioning_support: 'true',
  thick_provisioning_support: 'false',
  online_extend_support: 'true',
  replication_enabled: 'false',
};

/** `<is> True`, `<in> text`, `<or> a <or> b`, `s== text`, or the text itself. */
function matches(wanted: string, has: string): boolean {
  const is = /^<is>\s*(.*)$/i.exec(wanted.trim());
  if (is !== null) return /^(?:true|1|yes)$/i.test(is[1] ?? '') === /^(?:true|1|yes)$/i.test(has);
  const within = /^<in>\s*(.*)$/i.exec(wanted.trim());
  if (within !== null) return has.includes((within[1] ?? '').trim());
  if (/^<or>/i.test(wanted.trim()))
    return wanted.split(/<or>/i).some((one) => one.trim() !== '' && one.trim() === has);
  return (
    wanted
      .trim()
      .replace(/^s==\s*/, '')
      .toLowerCase() === has.toLowerCase()
  );
}

/** The first extra spec that the back end does not meet, as `key=value`; null: it meets them all. */
export function unmet(extraSpecs: Readonly<Record<string, string>>): string | null {
  for (const [key, value] of Object.entries(extraSpecs)) {
    const scoped = key.split(':');
    // Other scopes speak to somebody else, e.g. RESKEY:availability_zones.
    const name = scoped.length === 1 ? key : scoped[0] === 'capabilities' ? scoped.slice(1).join(':') : null;
    if (name !== null && !(Object.hasOwn(facts, name) && matches(value, facts[name] ?? '')))
      return `${key}=${value}`;
  }
  return null;
}

/** GiB that the volumes of each host may grow to. */
export async function provisionedByHost(db: Db): Promise<Map<string | null, number>> {
  const sums = await db
    .selectFrom('volumes')
    .select((eb) => ['host_id', eb.fn.sum<number>('size_gib').as('gib')])
    .groupBy('host_id')
    .execute();
  return new Map(sums.map((row) => [row.host_id, Number(row.gib)]));
}
