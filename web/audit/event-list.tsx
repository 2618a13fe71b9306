// The newest events, a line each: on the overview, and on the pages of projects and users.
import { useQuery } from '@tanstack/react-query';
import { Empty, Flex, Skeleton, Typography } from 'antd';
import { UserName } from '../identity/users/user-name.tsx';
import { useFormat, useText } from '../kit/language.tsx';
import { Problem } from '../kit/problem.tsx';
import { CALM_MS } from '../kit/live.ts';
import { readEvents, type AuditEvent, type EventFilter } from './api.ts';
import { useTargetNames } from './names.ts';
import { Target, useKindName } from './target.tsx';
import { auditText } from './text.ts';
import { verbOf } from './words.ts';

function EventLine({
  event,
  name,
  showUser,
  showProject,
}: {
  event: AuditEvent;
  name: string | undefined;
  showUser: boolean;
  showProject: boolean;
}) {
  const t = useText(auditText);
  const format = useFormat();
  const kindName = useKindName();
  return (
    <li className="event">
      <span className="sentence">
        {showUser ? (
          <>{event.user_id === null ? t.unknown : <UserName id={event.user_id} name={event.user_name} />} </>
        ) : null}
        {t.verbs[verbOf(event.action, event.target_type)]} {kindName(event.target_type)}{' '}
        <Target event={event} name={name} />
        {showProject && event.project_name !== null ? (
          <Typography.Text type="secondary">{` · ${event.project_name}`}</Typography.Text>
        ) : null}
      </span>
      <Typography.Text type="secondary" className="event-time" title={format.time(event.time)}>
        {format.ago(event.time)}
      </Typography.Text>
    </li>
  );
}

export function EventList({
  filter,
  limit,
  showUser = true,
  showProject = true,
}: {
  filter: EventFilter;
  limit: number;
  showUser?: boolean;
  showProject?: boolean;
}) {
  const t = useText(auditText);
  const query = useQuery({
    queryKey: ['audit', 'newest', filter, limit],
    queryFn: () => readEvents(filter, limit, undefined),
    refetchInterval: CALM_MS,
  });
  const names = useTargetNames(query.data?.events);
  if (query.error !== null && query.data === undefined)
    return <Problem error={query.error} retry={() => void query.refetch()} />;
  if (query.data === undefined) return <Skeleton active />;
  if (query.data.events.length === 0)
    return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t.none} />;
  return (
    <Flex vertical gap={8}>
      <ul className="events">
        {query.data.events.map((event) => (
          <EventLine
            key={event.id}
            event={event}
            name={names.get(event.target_id)}
            showUser={showUser}
            showProject={showProject}
          />
        ))}
      </ul>
    </Flex>
  );
}
