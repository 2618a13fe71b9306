// One quota as a bar, in the unit that it counts in.
import { useFormat, useText } from '../../kit/language.tsx';
import { Meter } from '../../kit/meter.tsx';
import { quotaNames } from './quota-names.ts';
import type { Quota, QuotaName } from './quotas.ts';

/** How amounts of a quota are written. */
export function useAmount(): (name: QuotaName, value: number) => string {
  const format = useFormat();
  return (name, value) =>
    name === 'ram'
      ? value === 0
        ? '0 GiB'
        : format.bytes(value * 1024 ** 2)
      : name.endsWith('gigabytes')
        ? `${format.number(value)} GiB`
        : format.number(value);
}

export function QuotaMeter({ quota }: { quota: Quota }) {
  const names = useText(quotaNames);
  const amount = useAmount();
  return (
    <Meter
      label={names[quota.name]}
      used={quota.used ?? 0}
      limit={quota.limit}
      format={(value) => amount(quota.name, value)}
    />
  );
}
