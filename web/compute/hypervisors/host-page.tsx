// One host: what it has, what of it is claimed, and the servers of all projects that are on it.
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { Alert, Button, Card, Col, Descriptions, Row, Skeleton, Typography } from 'antd';
import { useMemo, useState } from 'react';
import { projectsQuery } from '../../identity/projects/api.ts';
import { useAction } from '../../kit/action.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { enableHost, hostsQuery, serversOnQuery, type Host, type HostedServer } from './api.ts';
import { Capacity } from './capacity.tsx';
import { resources } from './claimable.ts';
import { DisableHost } from './disable-host.tsx';
import { HostState, Scheduling } from './host-state.tsx';
import { hostText } from './text.ts';

function ServersOn({ host }: { host: Host }) {
  const t = useText(hostText);
  const kit = useText(kitText);
  const format = useFormat();
  const query = useQuery(serversOnQuery(host.hypervisor_hostname));
  const projects = useQuery(projectsQuery);
  const columns = useMemo((): Column<HostedServer>[] => {
    const projectName = (id: string): string => projects.data?.find((one) => one.id === id)?.name ?? id;
    return [
      {
        key: 'name',
        title: kit.name,
        render: ({ id, name }) => <ResourceLink to="/servers" id={id} name={name} />,
        value: ({ name }) => name,
      },
      {
        key: 'state',
        title: kit.state,
        render: ({ status }) => <StateTag state={status} />,
        value: ({ status }) => status,
        filter: true,
      },
      {
        key: 'project',
        title: kit.project,
        render: ({ tenant_id: id }) => <ResourceLink to="/projects" id={id} name={projectName(id)} />,
        value: ({ tenant_id: id }) => projectName(id),
        filter: true,
      },
      {
        key: 'flavor',
        title: t.flavor,
        render: ({ flavor }) => flavor.original_name,
        value: ({ flavor }) => flavor.original_name,
        filter: true,
      },
      {
        key: 'vcpus',
        title: t.vcpus,
        render: ({ flavor }) => flavor.vcpus,
        value: ({ flavor }) => flavor.vcpus,
      },
      {
        key: 'memory',
        title: t.memory,
        render: ({ flavor }) => format.mib(flavor.ram),
        value: ({ flavor }) => flavor.ram,
      },
      {
        key: 'created',
        title: t.created,
        render: ({ created }) => format.time(created),
        value: ({ created }) => created,
        hidden: true,
      },
    ];
  }, [t, kit, format, projects.data]);
  return (
    <ResourceTable
      name="servers-on-host"
      label={t.servers}
      query={query}
      columns={columns}
      rowKey={({ id }) => id}
      empty={t.noServers}
    />
  );
}

function Shown({ host }: { host: Host }) {
  const t = useText(hostText);
  const kit = useText(kitText);
  const [disabling, setDisabling] = useState(false);
  const { mutate: enable, isPending } = useAction<Host>({
    run: enableHost,
    refresh: [['hosts'], ['services']],
    done: t.enabledDone,
  });
  const reason = host.service.disabled_reason;
  return (
    <PageFrame
      title={host.hypervisor_hostname}
      crumbs={[{ title: t.title, to: '/hosts' }]}
      extra={
        <>
          <HostState host={host} />
          <Scheduling host={host} />
          {host.status === 'enabled' ? (
            <Button onClick={() => setDisabling(true)}>{t.disable}</Button>
          ) : (
            <Button type="primary" loading={isPending} onClick={() => enable(host)}>
              {t.enable}
            </Button>
          )}
        </>
      }
    >
      {host.state === 'down' ? <Alert type="error" showIcon title={t.downHint} /> : null}
      {host.status === 'disabled' && reason !== null && reason !== '' ? (
        <Alert type="warning" showIcon title={`${t.reason}: ${reason}`} />
      ) : null}
      <Row gutter={[16, 16]}>
        {resources.map((resource) => (
          <Col key={resource} xs={24} md={8}>
            <Card size="small">
              <Capacity host={host} resource={resource} />
            </Card>
          </Col>
        ))}
      </Row>
      <Descriptions
        size="small"
        column={{ xs: 1, md: 2 }}
        items={[
          { key: 'id', label: kit.id, children: <Id id={host.id} /> },
          { key: 'address', label: t.address, children: host.host_ip },
          { key: 'kind', label: t.kind, children: host.hypervisor_type },
          { key: 'cpu', label: t.cpu, children: `${host.cpu_info.model} (${host.cpu_info.arch})` },
        ]}
      />
      <Typography.Title level={2} className="section-title">
        {t.servers}
      </Typography.Title>
      <ServersOn host={host} />
      <DisableHost host={disabling ? host : null} onClose={() => setDisabling(false)} />
    </PageFrame>
  );
}

export function HostPage() {
  const t = useText(hostText);
  const kit = useText(kitText);
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const query = useQuery(hostsQuery);
  const host = query.data?.find((one) => one.id === id);
  if (host !== undefined) return <Shown host={host} />;
  return (
    <PageFrame title={t.title} crumbs={[{ title: t.title, to: '/hosts' }]}>
      {query.error !== null ? (
        <Problem error={query.error} retry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Skeleton active />
      ) : (
        <Alert type="error" showIcon title={kit.notFound} />
      )}
    </PageFrame>
  );
}
