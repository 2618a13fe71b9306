// What is claimed of a host, as a bar.
import { useQuery } from '@tanstack/react-query';
import { Skeleton, Typography } from 'antd';
import { useFormat, useText } from '../../kit/language.tsx';
import { Meter } from '../../kit/meter.tsx';
import { inventoryQuery, type Host } from './api.ts';
import { capacityOf, type HostResource } from './claimable.ts';
import { hostText } from './text.ts';

export function Capacity({
  host,
  resource,
  compact = false,
}: {
  host: Host;
  resource: HostResource;
  compact?: boolean;
}) {
  const t = useText(hostText);
  const format = useFormat();
  const inventories = useQuery(inventoryQuery(host.id));
  if (inventories.isPending) return <Skeleton.Input active size="small" />;
  const { used, total, physical } = capacityOf(host, resource, inventories.data);
  const label = { VCPU: t.vcpus, MEMORY_MB: t.memory, DISK_GB: t.disk }[resource];
  const amount = (value: number): string =>
    resource === 'VCPU'
      ? format.number(value)
      : resource === 'MEMORY_MB' && value > 0
        ? format.bytes(value * 1024 ** 2)
        : `${format.number(value)} GiB`;
  return (
    <>
      <Meter label={label} used={used} limit={total} format={amount} compact={compact} />
      {compact ? null : <Typography.Text type="secondary">{t.claimable(amount(physical))}</Typography.Text>}
    </>
  );
}
