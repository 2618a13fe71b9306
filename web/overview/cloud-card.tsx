// For operators: how full the whole cloud is.
import { useQueries, useQuery } from '@tanstack/react-query';
import { Card, Col, Row, Skeleton, Statistic } from 'antd';
import { hostsQuery, inventoryQuery, type Host } from '../compute/hypervisors/api.ts';
import { capacityOf, resources, type HostResource } from '../compute/hypervisors/claimable.ts';
import { useFormat, useText } from '../kit/language.tsx';
import { Meter } from '../kit/meter.tsx';
import { Pending } from '../kit/pending.tsx';
import { hostText } from '../compute/hypervisors/text.ts';
import { overviewText } from './text.ts';

/** Beyond, what the machines have is shown for what can be claimed of them: nobody waits for a thousand calls. */
const EXACT_UP_TO = 50;

function Figures({ hosts }: { hosts: readonly Host[] }) {
  const t = useText(overviewText);
  const names = useText(hostText);
  const format = useFormat();
  const inventories = useQueries({
    queries: (hosts.length > EXACT_UP_TO ? [] : hosts).map(({ id }) => inventoryQuery(id)),
    combine: (answers) => ({
      data: answers.map(({ data }) => data),
      pending: answers.some((one) => one.isPending),
    }),
  });
  const meter = (resource: HostResource) => {
    const all = hosts.map((host, at) => capacityOf(host, resource, inventories.data[at]));
    const amount = (value: number): string =>
      resource === 'VCPU'
        ? format.number(value)
        : value === 0
          ? '0 GiB'
          : format.bytes(value * (resource === 'MEMORY_MB' ? 1024 ** 2 : 1024 ** 3));
    return (
      <Meter
        label={{ VCPU: names.vcpus, MEMORY_MB: names.memory, DISK_GB: names.disk }[resource]}
        used={all.reduce((sum, one) => sum + one.used, 0)}
        limit={all.reduce((sum, one) => sum + one.total, 0)}
        format={amount}
      />
    );
  };
  if (inventories.pending) return <Skeleton active />;
  return (
    <Row gutter={[32, 16]} align="middle">
      <Col xs={12} md={4}>
        <Statistic
          title={t.hosts}
          value={t.hostsUp(hosts.filter(({ state }) => state === 'up').length, hosts.length)}
          styles={{ content: { fontSize: 16 } }}
        />
      </Col>
      <Col xs={12} md={2}>
        <Statistic
          title={t.allServers}
          value={hosts.reduce((sum, one) => sum + one.running_vms, 0)}
          styles={{ content: { fontSize: 16 } }}
        />
      </Col>
      {resources.map((resource) => (
        <Col key={resource} xs={24} md={6}>
          {meter(resource)}
        </Col>
      ))}
    </Row>
  );
}

export function CloudCard() {
  const t = useText(overviewText);
  const query = useQuery(hostsQuery);
  return (
    <Card size="small" title={t.cloud}>
      {query.data === undefined ? <Pending query={query} /> : <Figures hosts={query.data} />}
    </Card>
  );
}
