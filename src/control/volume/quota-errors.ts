// Cinder answers 413 where a quota does not suffice, and names the resource its own way.
import type { Tx } from '../../kernel/db/index.ts';
import { CloudError } from '../../kernel/errors.ts';
import type { Platform } from '../../kernel/platform.ts';
import type { QuotaAmounts } from '../../kernel/quota.ts';

const names: Readonly<Record<string, string>> = {
  volumes: 'VolumeLimitExceeded: Maximum number of volumes allowed',
  snapshots: 'SnapshotLimitExceeded: Maximum number of snapshots allowed',
  backups: 'BackupLimitExceeded: Maximum number of backups allowed',
  groups: 'GroupLimitExceeded: Maximum number of groups allowed',
  gigabytes: 'VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota',
  backup_gigabytes:
    'VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota',
};
/** What clients look for in the message, to tell a limit from a rate. */
const exceeded = (name: string, limit: number): string =>
  /exceeds/.test(names[name] ?? '') ? (names[name] ?? '') : `${names[name] ?? name} (${limit}) exceeded`;

/** Claims, or throws 413 with resource, limit, in use and requested. */
export async function claimQuota(
  tx: Tx,
  platform: Platform,
  projectId: string,
  amounts: QuotaAmounts,
): Promise<void> {
  const [limits, usage] = [
    await platform.quotas.limits(tx, projectId),
    await platform.quotas.usage(tx, projectId),
  ];
  for (const [name, amount] of Object.entries(amounts)) {
    const limit = limits[name] ?? 0;
    const used = usage[name] ?? 0;
    if (limit >= 0 && used + amount > limit)
      throw new CloudError(
        413,
        'OverQuota',
        `${exceeded(name, limit)} for quota '${name}': requested ${amount}, already used ${used} of ${limit}.`,
        { headers: { 'retry-after': '0' } },
      );
  }
  await platform.quotas.claim(tx, projectId, amounts);
}

/** 413 when one volume may not be as large. */
export async function checkVolumeSize(
  tx: Tx,
  platform: Platform,
  projectId: string,
  sizeGib: number,
): Promise<void> {
  const limit = (await platform.quotas.limits(tx, projectId))['per_volume_gigabytes'] ?? -1;
  if (limit >= 0 && sizeGib > limit)
    throw new CloudError(
      413,
      'OverQuota',
      `VolumeSizeExceedsLimit: Requested volume size ${sizeGib} is larger than maximum allowed limit ${limit}.`,
      { headers: { 'retry-after': '0' } },
    );
}
