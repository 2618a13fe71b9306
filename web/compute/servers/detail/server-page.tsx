// The page of one server: its state, what can be done, and a tab for each of its sides.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { Alert, Flex, Result, Skeleton, Tabs, Typography, type TabsProps } from 'antd';
import { ApiError } from '../../../kit/api.ts';
import { useText } from '../../../kit/language.tsx';
import { To } from '../../../kit/link.tsx';
import { PageFrame } from '../../../kit/page.tsx';
import { Problem } from '../../../kit/problem.tsx';
import { serverQuery } from '../api.ts';
import { Fault } from '../refusals.tsx';
import { powerOf, type Server } from '../server.ts';
import { ServerActions } from '../server-actions.tsx';
import { ServerState } from '../server-state.tsx';
import { useServerType } from '../server-type.ts';
import { serversText } from '../text.ts';
import { useConsoleTabs } from './console-tabs.tsx';
import { EventsTab } from './events-tab.tsx';
import { GroupsTab } from './groups-tab.tsx';
import { InterfacesTab } from './interfaces-tab.tsx';
import { MetadataTab } from './metadata-tab.tsx';
import { OverviewTab } from './overview-tab.tsx';
import { detailText } from './text.ts';
import { VolumesTab } from './volumes-tab.tsx';

function Gone({ id, name }: { id: string; name: string | undefined }) {
  const t = useText(detailText);
  return (
    <PageFrame title={name ?? id} crumbs={[{ title: t.servers, to: '/servers' }]}>
      <Result status="info" title={t.gone} subTitle={t.goneWhy} extra={<To to="/servers">{t.toList}</To>} />
      {name === undefined ? null : (
        <>
          <Typography.Title level={2} className="section-title">
            {t.goneHistory}
          </Typography.Title>
          <EventsTab id={id} />
        </>
      )}
    </PageFrame>
  );
}

/** What somebody who looks at the server should know before all else. */
function Notices({ server }: { server: Server }) {
  const t = useText(detailText);
  const status = server.status;
  const notice = (type: 'info' | 'warning', title: string, description: string) => (
    <Alert key={title} type={type} showIcon title={title} description={description} />
  );
  return (
    <>
      <Fault server={server} />
      {server.host_status === 'DOWN' ? notice('warning', t.hostDown, t.hostDownWhat) : null}
      {status === 'VERIFY_RESIZE' ? notice('warning', t.verifyTitle, t.verify) : null}
      {status === 'RESCUE' ? notice('warning', t.rescueTitle, t.rescue) : null}
      {status.startsWith('SHELVED') ? notice('info', t.shelvedTitle, t.shelved) : null}
      {server.locked ? notice('info', t.lockedTitle, server.locked_reason ?? t.locked) : null}
    </>
  );
}

function useTab(): [string, (tab: string) => void] {
  const { tab } = useSearch({ strict: false }) as { tab?: string };
  const navigate = useNavigate();
  return [
    tab ?? 'overview',
    (next) =>
      void navigate({
        to: '.',
        search: (next === 'overview' ? {} : { tab: next }) as never,
        replace: true,
      }),
  ];
}

function Shown({ server }: { server: Server }) {
  const t = useText(detailText);
  const s = useText(serversText);
  const navigate = useNavigate();
  const type = useServerType(server);
  const [tab, setTab] = useTab();
  const consoles = useConsoleTabs(server.id, type);
  const items: NonNullable<TabsProps['items']> = [
    { key: 'overview', label: t.tabs.overview, children: <OverviewTab server={server} type={type} /> },
    ...consoles,
    { key: 'events', label: t.tabs.events, children: <EventsTab id={server.id} server={server} /> },
    { key: 'interfaces', label: t.tabs.interfaces, children: <InterfacesTab server={server} /> },
    { key: 'groups', label: t.tabs.groups, children: <GroupsTab server={server} /> },
    { key: 'volumes', label: t.tabs.volumes, children: <VolumesTab server={server} /> },
    { key: 'metadata', label: t.tabs.metadata, children: <MetadataTab server={server} /> },
  ];
  return (
    <PageFrame
      title={server.name}
      crumbs={[{ title: t.servers, to: '/servers' }]}
      extra={
        <Flex gap={12} align="center" wrap>
          <ServerState server={server} />
          <Typography.Text type="secondary">
            {s.power}: {s.powers[powerOf(server)]}
          </Typography.Text>
          <ServerActions server={server} type={type} onDelete={() => void navigate({ to: '/servers' })} />
        </Flex>
      }
    >
      <Notices server={server} />
      <Tabs
        items={items}
        activeKey={items.some(({ key }) => key === tab) ? tab : 'overview'}
        onChange={setTab}
        destroyOnHidden
      />
    </PageFrame>
  );
}

export function ServerPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const t = useText(detailText);
  const { data: server, error, refetch } = useQuery(serverQuery(id));
  if (error instanceof ApiError && error.status === 404) return <Gone id={id} name={server?.name} />;
  if (server !== undefined) return <Shown key={id} server={server} />;
  return (
    <PageFrame title={id} crumbs={[{ title: t.servers, to: '/servers' }]}>
      {error === null ? <Skeleton active /> : <Problem error={error} retry={() => void refetch()} />}
    </PageFrame>
  );
}
