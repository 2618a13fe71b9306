// The audit log with its filters, which stand in the address so that they can be passed on.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useLocation, useNavigate } from '@tanstack/react-router';
import { Button, Card, Collapse, Flex, Form, Input, Select } from 'antd';
import { useMemo, useState } from 'react';
import { projectsQuery } from '../identity/projects/api.ts';
import { ProjectName } from '../identity/projects/project-name.tsx';
import { UserName } from '../identity/users/user-name.tsx';
import { usersQuery } from '../identity/users/api.ts';
import { useFormat, useText } from '../kit/language.tsx';
import { Id } from '../kit/link.tsx';
import { CALM_MS } from '../kit/live.ts';
import { PageFrame } from '../kit/page.tsx';
import { ResourceTable, type Column } from '../kit/resource-table.tsx';
import { isOperator, useSession } from '../kit/session.ts';
import { useViewport } from '../kit/viewport.ts';
import { readEvents, type AuditEvent, type EventFilter } from './api.ts';
import { useTargetNames } from './names.ts';
import { Target, useKindName } from './target.tsx';
import { auditText } from './text.ts';
import { verbOf } from './words.ts';

const PAGE = 100;
/** Pixels */
const NARROW = 600;
const names = ['project_id', 'user_id', 'action', 'target_type', 'target_id', 'since', 'until'] as const;

/** What of the address is a filter. */
function filterOf(search: unknown): EventFilter {
  const given = (search ?? {}) as Record<string, unknown>;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given[name];
      return value === undefined || value === '' ? [] : [[name, String(value)]];
    }),
  );
}

/** The field for a moment speaks local time, the API UTC. */
const toUtc = (local: string): string => (local === '' ? '' : new Date(local).toISOString());
function toLocal(iso: string | undefined): string {
  const at = new Date(iso ?? '');
  // The address may say anything; what is no time is for the server to refuse.
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function Filters({ filter, change }: { filter: EventFilter; change(next: EventFilter): void }) {
  const t = useText(auditText);
  const operator = isOperator(useSession());
  const kindName = useKindName();
  const { width } = useViewport();
  const projects = useQuery({ ...projectsQuery, enabled: operator });
  const users = useQuery({ ...usersQuery, enabled: operator });
  // What is being typed is asked for when it is done.
  const [typed, setTyped] = useState({ action: filter.action ?? '', target_id: filter.target_id ?? '' });
  const set = (part: EventFilter): void => change({ ...filter, ...part });
  const text = (name: 'action' | 'target_id', label: string, hint = '') => (
    <Form.Item label={label} htmlFor={`filter-${name}`}>
      <Input
        id={`filter-${name}`}
        allowClear
        placeholder={hint}
        value={typed[name]}
        onChange={(event) => {
          const { value } = event.target;
          setTyped({ ...typed, [name]: value });
          if (value === '') set({ [name]: '' });
        }}
        onPressEnter={() => set({ [name]: typed[name] })}
        onBlur={() => set({ [name]: typed[name] })}
      />
    </Form.Item>
  );
  const choice = (
    name: 'project_id' | 'user_id' | 'target_type',
    label: string,
    all: string,
    options: { value: string; label: string }[],
  ) => (
    <Form.Item label={label} htmlFor={`filter-${name}`}>
      <Select
        id={`filter-${name}`}
        allowClear
        showSearch={{ optionFilterProp: 'label' }}
        placeholder={all}
        value={filter[name] ?? null}
        options={options}
        onChange={(value: string | null | undefined) => set({ [name]: value ?? '' })}
      />
    </Form.Item>
  );
  const moment = (name: 'since' | 'until', label: string) => (
    <Form.Item label={label} htmlFor={`filter-${name}`}>
      <Input
        id={`filter-${name}`}
        type="datetime-local"
        value={toLocal(filter[name])}
        onChange={(event) => set({ [name]: toUtc(event.target.value) })}
      />
    </Form.Item>
  );
  const named = (rows: readonly { id: string; name: string }[] | undefined) =>
    rows?.map(({ id, name }) => ({ value: id, label: name })) ?? [];
  const kinds = Object.keys(auditText.en.kinds)
    .map((value) => ({ value, label: kindName(value) }))
    .toSorted((a, b) => a.label.localeCompare(b.label));
  const fields = (
    <Form layout="vertical" component="div" className="filters">
      {operator ? choice('project_id', t.project, t.anywhere, named(projects.data)) : null}
      {operator ? choice('user_id', t.user, t.anyone, named(users.data)) : null}
      {text('action', t.action, t.actionHint)}
      {choice('target_type', t.targetType, t.anything, kinds)}
      {text('target_id', t.targetId)}
      {moment('since', t.since)}
      {moment('until', t.until)}
      <Form.Item>
        <Button
          disabled={Object.keys(filter).length === 0}
          onClick={() => {
            setTyped({ action: '', target_id: '' });
            change({});
          }}
        >
          {t.reset}
        </Button>
      </Form.Item>
    </Form>
  );
  // On a telephone they would fill the screen before the first event.
  if (width < NARROW)
    return (
      <Collapse
        size="small"
        items={[{ key: 'filters', label: t.filters(Object.keys(filter).length), children: fields }]}
      />
    );
  return <Card size="small">{fields}</Card>;
}

export function AuditPage() {
  const t = useText(auditText);
  const format = useFormat();
  const kindName = useKindName();
  const operator = isOperator(useSession());
  const navigate = useNavigate();
  const { search, pathname } = useLocation();
  const filter = useMemo(() => filterOf(search), [search]);
  const query = useInfiniteQuery({
    queryKey: ['audit', 'pages', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => readEvents(filter, PAGE, pageParam),
    getNextPageParam: ({ events, events_links: links }) =>
      links === undefined ? undefined : events.at(-1)?.id,
    placeholderData: (before) => before,
    // Who looks further back is not pulled to the front.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? false : CALM_MS),
  });
  const events = useMemo(() => query.data?.pages.flatMap((page) => page.events), [query.data]);
  const targets = useTargetNames(events);
  const columns = useMemo((): Column<AuditEvent>[] => {
    const project: Column<AuditEvent> = {
      key: 'project',
      title: t.project,
      render: ({ project_id: id, project_name: name }) =>
        id === null ? null : <ProjectName id={id} name={name} />,
      value: ({ project_id: id, project_name: name }) => name ?? id,
    };
    return [
      {
        key: 'time',
        title: t.time,
        render: ({ time }) => <span title={time}>{format.time(time)}</span>,
        value: ({ time }) => time,
      },
      {
        key: 'what',
        title: t.what,
        render: (event) => (
          <span className="sentence">
            {event.user_id === null ? t.unknown : <UserName id={event.user_id} name={event.user_name} />}{' '}
            {t.verbs[verbOf(event.action, event.target_type)]} {kindName(event.target_type)}{' '}
            <Target event={event} name={targets.get(event.target_id)} />
          </span>
        ),
        value: ({ user_name: user, action, target_type: kind, target_id: id }) =>
          `${user ?? ''} ${t.verbs[verbOf(action, kind)]} ${kindName(kind)} ${targets.get(id) ?? ''} ${id}`,
      },
      {
        key: 'action',
        title: t.action,
        render: ({ action }) => <code>{action}</code>,
        value: ({ action }) => action,
        filter: true,
      },
      // Others see what was done from their own project alone.
      ...(operator ? [project] : []),
      {
        key: 'request',
        title: t.request,
        render: ({ request_id: id }) => <Id id={id} />,
        value: ({ request_id: id }) => id,
        hidden: true,
      },
    ];
  }, [t, format, kindName, targets, operator]);
  return (
    <PageFrame title={t.title}>
      <Filters
        key={pathname}
        filter={filter}
        change={(next) =>
          void navigate({ to: pathname, search: filterOf(next) as never, replace: true, resetScroll: false })
        }
      />
      <ResourceTable
        name="audit"
        label={t.title}
        query={{
          data: events,
          error: query.error,
          isPending: query.isPending,
          isFetching: query.isFetching,
          refetch: query.refetch as never,
        }}
        columns={columns}
        rowKey={({ id }) => id}
      />
      {query.hasNextPage ? (
        <Flex justify="center">
          <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t.older}
          </Button>
        </Flex>
      ) : null}
    </PageFrame>
  );
}
