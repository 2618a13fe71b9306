// What was done to a server and what came of it, newest first.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Button, Empty, Flex, Timeline, Typography } from 'antd';
import { BUSY_MS, CALM_MS } from '../../../kit/live.ts';
import { parseTime, useFormat, useText } from '../../../kit/language.tsx';
import { Pending } from '../../../kit/pending.tsx';
import { StateTag } from '../../../kit/state.tsx';
import type { Server } from '../server.ts';
import { ServerState } from '../server-state.tsx';
import { nameIn } from '../states-text.ts';
import { actionQuery, actionsQuery, type Action, type ActionEvent } from './api.ts';
import { detailText } from './text.ts';
import { useUserName } from './user-name.ts';

type Outcome = 'Success' | 'Error' | 'running';

const outcomeOf = (events: readonly ActionEvent[]): Outcome =>
  events.some(({ result }) => result === 'Error')
    ? 'Error'
    : events.some(({ finish_time }) => finish_time === null)
      ? 'running'
      : 'Success';

const states: Readonly<Record<Outcome, string>> = { Success: 'success', Error: 'error', running: 'building' };

function Event({ event, name }: { event: ActionEvent; name: string }) {
  const t = useText(detailText);
  const format = useFormat();
  const { finish_time: end, start_time: start, details, host } = event;
  const seconds = end === null ? null : (parseTime(end).getTime() - parseTime(start).getTime()) / 1000;
  return (
    <div>
      <Typography.Text type="secondary">
        <code title={name}>{event.event}</code>
        {seconds === null ? ` · ${t.history.running}` : ` · ${t.history.took(format.number(seconds))}`}
        {host === undefined || host === null ? '' : ` · ${t.history.onHost} ${host}`}
      </Typography.Text>
      {details === null || details === 'Error' ? null : <div className="message">{details}</div>}
    </div>
  );
}

function ActionEntry({ id, action }: { id: string; action: Action }) {
  const t = useText(detailText);
  const format = useFormat();
  const userName = useUserName();
  const { data: events } = useQuery(actionQuery(id, action.request_id));
  const outcome = events === undefined ? null : outcomeOf(events);
  const name = nameIn(t.actionNames, action.action);
  return (
    <Flex vertical gap={2}>
      <Flex gap={8} align="center" wrap>
        <Typography.Text strong>{name}</Typography.Text>
        {outcome === null ? null : <StateTag state={states[outcome]}>{t.results[outcome]}</StateTag>}
        <span title={format.time(action.start_time)}>{format.ago(action.start_time)}</span>
        <Typography.Text type="secondary">
          {action.user_id === null ? '' : `${t.history.by} ${userName(action.user_id)}`}
        </Typography.Text>
      </Flex>
      {events?.map((event) => (
        <Event key={`${event.event}${event.start_time}`} event={event} name={name} />
      ))}
      <Typography.Text type="secondary" copyable={{ text: action.request_id }} style={{ fontSize: 12 }}>
        {action.request_id}
      </Typography.Text>
    </Flex>
  );
}

/** Without a server: it is gone, and only its history is left. */
export function EventsTab({ id, server }: { id: string; server?: Server }) {
  const t = useText(detailText);
  const busy = server !== undefined && server['OS-EXT-STS:task_state'] !== null;
  const actions = useInfiniteQuery(actionsQuery(id, busy ? BUSY_MS : CALM_MS));
  if (actions.data === undefined) return <Pending query={actions} />;
  const all = actions.data.pages.flat();
  if (all.length === 0) return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t.history.empty} />;
  return (
    <Flex vertical gap={12} align="flex-start">
      <Timeline
        items={[
          ...(server === undefined
            ? []
            : [
                {
                  key: 'now',
                  content: (
                    <Flex gap={8}>
                      <Typography.Text strong>{t.history.state}</Typography.Text>
                      <ServerState server={server} />
                    </Flex>
                  ),
                },
              ]),
          ...all.map((action) => ({
            key: action.request_id + action.action,
            content: <ActionEntry id={id} action={action} />,
          })),
        ]}
      />
      {actions.hasNextPage ? (
        <Button loading={actions.isFetchingNextPage} onClick={() => void actions.fetchNextPage()}>
          {t.history.older}
        </Button>
      ) : null}
    </Flex>
  );
}
