// What the projects used in a period, with totals, and server by server.
import { useQuery } from '@tanstack/react-query';
import { Button, Card, Col, Drawer, Flex, Form, Input, Row, Segmented, Statistic, Typography } from 'antd';
import { useMemo, useState } from 'react';
import { projectsQuery } from '../../identity/projects/api.ts';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { useViewport } from '../../kit/viewport.ts';
import { serverUsageQuery, usageQuery, type ServerUsage, type Usage } from './api.ts';
import { asked, daysOf, periodNames, type Days, type PeriodName } from './period.ts';
import { usageText } from './text.ts';

type Period = { start: string; end: string };

function PeriodChoice({
  days,
  name,
  change,
}: {
  days: Days;
  name: PeriodName;
  change(name: PeriodName, days: Days): void;
}) {
  const t = useText(usageText);
  const day = (which: 'from' | 'to', label: string) => (
    <Form.Item label={label} htmlFor={`usage-${which}`} style={{ marginBottom: 0 }}>
      <Input
        id={`usage-${which}`}
        type="date"
        value={days[which]}
        onChange={(event) => change('custom', { ...days, [which]: event.target.value })}
      />
    </Form.Item>
  );
  return (
    <Flex gap={12} wrap align="center">
      <div className="scroll-x">
        <Segmented<PeriodName>
          aria-label={t.period}
          value={name}
          options={periodNames.map((value) => ({ value, label: t.periods[value] }))}
          onChange={(next) => change(next, next === 'custom' ? days : daysOf(next, new Date()))}
        />
      </div>
      {name === 'custom' ? (
        <Flex gap={12} wrap>
          {day('from', t.from)}
          {day('to', t.to)}
        </Flex>
      ) : null}
    </Flex>
  );
}

function ServersOf({ projectId, period }: { projectId: string; period: Period }) {
  const t = useText(usageText);
  const kit = useText(kitText);
  const format = useFormat();
  const query = useQuery(serverUsageQuery(projectId, period));
  const columns = useMemo(
    (): Column<ServerUsage>[] => [
      {
        key: 'name',
        title: t.server,
        render: ({ instance_id: id, name, ended_at: ended }) =>
          ended === null ? (
            <ResourceLink to="/servers" id={id} name={name} />
          ) : (
            <span title={id}>{name}</span>
          ),
        value: ({ name }) => name,
      },
      {
        key: 'state',
        title: kit.state,
        render: ({ state }) => <StateTag state={state} />,
        value: ({ state }) => state,
        filter: true,
      },
      { key: 'flavor', title: t.flavor, render: ({ flavor }) => flavor, value: ({ flavor }) => flavor },
      {
        key: 'hours',
        title: t.hours,
        render: ({ hours }) => format.number(hours),
        value: ({ hours }) => hours,
      },
      {
        key: 'started',
        title: t.started,
        render: ({ started_at: at }) => format.time(at),
        value: ({ started_at: at }) => at,
      },
      {
        key: 'ended',
        title: t.ended,
        render: ({ ended_at: at }) => (at === null ? t.running : format.time(at)),
        value: ({ ended_at: at }) => at ?? '',
      },
    ],
    [t, kit, format],
  );
  return (
    <ResourceTable
      name="usage-servers"
      label={t.show}
      query={query}
      columns={columns}
      rowKey={({ instance_id: id }) => id}
    />
  );
}

function Totals({ usages }: { usages: readonly Usage[] }) {
  const t = useText(usageText);
  const format = useFormat();
  const sum = (of: (usage: Usage) => number): number => usages.reduce((all, one) => all + of(one), 0);
  const figures = [
    [t.hours, sum((one) => one.total_hours)],
    [t.vcpuHours, sum((one) => one.total_vcpus_usage)],
    [t.memoryHours, sum((one) => one.total_memory_mb_usage) / 1024],
    [t.diskHours, sum((one) => one.total_local_gb_usage)],
  ] as const;
  return (
    <Card size="small" title={t.totals}>
      <Row gutter={[16, 12]}>
        {figures.map(([title, value]) => (
          <Col key={title} xs={12} md={6}>
            <Statistic title={title} value={format.number(value)} />
          </Col>
        ))}
      </Row>
    </Card>
  );
}

function Report({ period }: { period: Period }) {
  const t = useText(usageText);
  const format = useFormat();
  const { width } = useViewport();
  const query = useQuery(usageQuery(period));
  const projects = useQuery(projectsQuery);
  const [open, setOpen] = useState<Usage | null>(null);
  const columns = useMemo((): Column<Usage>[] => {
    const nameOf = (id: string): string | undefined => projects.data?.find((one) => one.id === id)?.name;
    const figure = (key: string, title: string, value: (usage: Usage) => number) => ({
      key,
      title,
      render: (usage: Usage) => format.number(value(usage)),
      value,
    });
    return [
      {
        key: 'project',
        title: t.project,
        render: ({ tenant_id: id }) => {
          const name = nameOf(id);
          return name === undefined && projects.data !== undefined ? (
            <span title={id}>{`${t.deletedProject} ${id.slice(0, 8)}`}</span>
          ) : (
            <ResourceLink to="/projects" id={id} name={name} />
          );
        },
        value: ({ tenant_id: id }) => nameOf(id) ?? id,
      },
      figure('hours', t.hours, (one) => one.total_hours),
      figure('vcpus', t.vcpuHours, (one) => one.total_vcpus_usage),
      figure('memory', t.memoryHours, (one) => one.total_memory_mb_usage / 1024),
      figure('disk', t.diskHours, (one) => one.total_local_gb_usage),
      {
        key: 'servers',
        title: t.show,
        width: 110,
        render: (usage) => (
          <Button
            size="small"
            aria-label={t.servers(nameOf(usage.tenant_id) ?? usage.tenant_id)}
            onClick={() => setOpen(usage)}
          >
            {t.show}
          </Button>
        ),
      },
    ];
  }, [t, format, projects.data]);
  const name = projects.data?.find((one) => one.id === open?.tenant_id)?.name ?? open?.tenant_id ?? '';
  return (
    <>
      <Totals usages={query.data ?? []} />
      <ResourceTable
        name="usage"
        label={t.title}
        query={query}
        columns={columns}
        rowKey={({ tenant_id: id }) => id}
        empty={t.none}
      />
      <Drawer
        open={open !== null}
        title={t.servers(name)}
        size={Math.min(width, 900)}
        onClose={() => setOpen(null)}
      >
        {open === null ? null : <ServersOf projectId={open.tenant_id} period={period} />}
      </Drawer>
    </>
  );
}

export function UsagePage() {
  const t = useText(usageText);
  const [name, setName] = useState<PeriodName>('month');
  const [days, setDays] = useState<Days>(() => daysOf('month', new Date()));
  const period = asked(days);
  return (
    <PageFrame title={t.title}>
      <PeriodChoice
        days={days}
        name={name}
        change={(nextName, nextDays) => {
          setName(nextName);
          setDays(nextDays);
        }}
      />
      {period === null ? (
        <Typography.Text type="danger" role="alert">
          {t.wrong}
        </Typography.Text>
      ) : (
        <Report period={period} />
      )}
    </PageFrame>
  );
}
