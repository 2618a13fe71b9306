// The quotas of a project: three services keep them, people see one list.

export const quotaGroups = {
  compute: [
    'instances',
    'cores',
    'ram',
    'key_pairs',
    'server_groups',
    'server_group_members',
    'metadata_items',
  ],
  storage: [
    'volumes',
    'gigabytes',
    'per_volume_gigabytes',
    'snapshots',
    'backups',
    'backup_gigabytes',
    'groups',
  ],
  network: [
    'network',
    'subnet',
    'port',
    'router',
    'floatingip',
    'port_forwarding',
    'security_group',
    'security_group_rule',
    'subnetpool',
    'qos_policy',
    'rbac_policy',
  ],
} as const;
export type QuotaGroup = keyof typeof quotaGroups;
export const quotaGroupNames = Object.keys(quotaGroups) as QuotaGroup[];
export type QuotaName = (typeof quotaGroups)[QuotaGroup][number];

/** What nothing of a project is counted against. */
const LIMITS_ONLY: ReadonlySet<QuotaName> = new Set([
  'key_pairs',
  'server_group_members',
  'metadata_items',
  'per_volume_gigabytes',
]);

export type Quota = {
  name: QuotaName;
  /** -1: none. MiB of `ram`, GiB of gigabytes. */
  limit: number;
  /** null: it only limits, e.g. the size of one volume. */
  used: number | null;
};
export type Quotas = Readonly<Record<QuotaGroup, readonly Quota[]>>;

export type Shown = Readonly<Record<string, { limit?: number; in_use?: number; used?: number } | undefined>>;

export const quotasOf = (group: QuotaGroup, shown: Shown): Quota[] =>
  quotaGroups[group].flatMap((name) => {
    const one = shown[name];
    if (one?.limit === undefined) return [];
    return [{ name, limit: one.limit, used: LIMITS_ONLY.has(name) ? null : (one.in_use ?? one.used ?? 0) }];
  });

/** Defaults are limits that nothing is counted against. */
export const defaultsOf = (
  group: QuotaGroup,
  limits: Readonly<Record<string, number | string | undefined>>,
): Quota[] =>
  quotaGroups[group].flatMap((name) => {
    const limit = limits[name];
    return typeof limit === 'number' ? [{ name, limit, used: null }] : [];
  });

export type QuotaValues = Partial<Record<QuotaName, number>>;

/** What differs from what is there, by service. */
export function changedQuotas(quotas: Quotas, wanted: QuotaValues): Partial<Record<QuotaGroup, QuotaValues>> {
  const out: Partial<Record<QuotaGroup, QuotaValues>> = {};
  for (const group of quotaGroupNames) {
    const changed = quotas[group].filter(
      ({ name, limit }) => wanted[name] !== undefined && wanted[name] !== null && wanted[name] !== limit,
    );
    if (changed.length > 0)
      out[group] = Object.fromEntries(changed.map(({ name }) => [name, wanted[name]])) as QuotaValues;
  }
  return out;
}
