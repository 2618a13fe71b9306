// The facts of a server.
import { useQuery } from '@tanstack/react-query';
import { Descriptions, Flex, Tag, Typography, type DescriptionsProps } from 'antd';
import { useFormat, useText } from '../../../kit/language.tsx';
import { Id, ResourceLink, To } from '../../../kit/link.tsx';
import { isOperator, useSession } from '../../../kit/session.ts';
import { useProjectNames } from '../../../kit/project-input.tsx';
import { imageQuery } from '../api.ts';
import { useSize } from '../flavor-size.ts';
import { addressesOf, powerOf, type Server, type ServerType } from '../server.ts';
import { nameIn, statesText } from '../states-text.ts';
import { serversText } from '../text.ts';
import { detailText } from './text.ts';
import { useUserName } from './user-name.ts';

function ImageName({ server }: { server: Server }) {
  const s = useText(serversText);
  const id = server.image === '' ? '' : server.image.id;
  const { data } = useQuery({ ...imageQuery(id), enabled: id !== '' });
  if (id === '') return <>{s.fromVolume}</>;
  if (data === undefined) return <Id id={id} />;
  return <ResourceLink to="/images" name={data.name} id={id} />;
}

function Addresses({ server }: { server: Server }) {
  const s = useText(serversText);
  const t = useText(detailText);
  const all = addressesOf(server);
  if (all.length === 0) return <>{t.none}</>;
  return (
    <Flex vertical>
      {Object.entries(server.addresses).map(([network, list]) => (
        <div key={network}>
          <Typography.Text type="secondary">{network}: </Typography.Text>
          {addressesOf({ addresses: { network: list } }).map((one) => (
            <Typography.Text key={one.addr} copyable={{ text: one.addr }} style={{ marginInlineEnd: 12 }}>
              {one.addr}
              {one['OS-EXT-IPS:type'] === 'floating' ? ` (${s.floating})` : ''}
            </Typography.Text>
          ))}
        </div>
      ))}
    </Flex>
  );
}

export function OverviewTab({ server, type }: { server: Server; type: ServerType | null }) {
  const t = useText(detailText);
  const s = useText(serversText);
  const { statuses, tasks } = useText(statesText);
  const format = useFormat();
  const size = useSize();
  const operator = isOperator(useSession());
  const projects = useProjectNames();
  const userName = useUserName();
  const task = server['OS-EXT-STS:task_state'];
  const launched = server['OS-SRV-USG:launched_at'];
  const host = server['OS-EXT-SRV-ATTR:host'] ?? null;
  const time = (iso: string) => `${format.time(iso)} (${format.ago(iso)})`;
  const zone = server['OS-EXT-AZ:availability_zone'];
  const fact = (label: string, children: React.ReactNode) => ({ key: label, label, children });
  const items: DescriptionsProps['items'] = [
    fact(s.status, nameIn(statuses, server.status)),
    fact(s.power, s.powers[powerOf(server)]),
    fact(s.task, task === null ? t.none : nameIn(tasks, task)),
    fact(s.type, type === null ? s.unknown : s[type]),
    fact(s.flavor, `${server.flavor.original_name} (${size(server.flavor)})`),
    fact(s.image, <ImageName server={server} />),
    fact(s.addresses, <Addresses server={server} />),
    fact(s.zone, zone === '' ? t.none : server.pinned_availability_zone === zone ? t.pinned(zone) : zone),
    fact(s.keyPair, server.key_name ?? t.none),
    ...(operator
      ? [
          fact(s.host, host === null ? t.none : host),
          fact(
            s.project,
            <To to={`/projects/${server.tenant_id}`}>
              {projects.get(server.tenant_id) ?? server.tenant_id.slice(0, 8)}
            </To>,
          ),
        ]
      : []),
    fact(t.user, userName(server.user_id)),
    fact(s.created, time(server.created)),
    fact(t.launched, launched === null ? t.none : time(launched)),
    fact(t.updated, time(server.updated)),
    fact(t.hostname, server['OS-EXT-SRV-ATTR:hostname']),
    fact(t.configDrive, server.config_drive === 'True' ? t.yes : t.no),
    fact(
      t.groups,
      (server.server_groups ?? []).length === 0
        ? t.none
        : server.server_groups?.map((id) => <Id key={id} id={id} short />),
    ),
    fact(s.tags, server.tags.length === 0 ? t.none : server.tags.map((tag) => <Tag key={tag}>{tag}</Tag>)),
    fact(t.description, server.description ?? t.none),
    fact(s.id, <Id id={server.id} />),
  ];
  return (
    <Descriptions
      bordered
      size="small"
      column={{ xs: 1, sm: 1, md: 1, lg: 2, xl: 2, xxl: 2 }}
      items={items}
      className="facts"
    />
  );
}
