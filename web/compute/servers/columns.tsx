// The columns of the list of servers.
import { Flex, Tooltip, Typography } from 'antd';
import { useMemo } from 'react';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink, To } from '../../kit/link.tsx';
import type { Column } from '../../kit/resource-table.tsx';
import type { Image } from './api.ts';
import { addressesOf, powerOf, typeOf, type Server } from './server.ts';
import { useSize } from './flavor-size.ts';
import { ServerActions } from './server-actions.tsx';
import { ServerState, useStatusName } from './server-state.tsx';
import { serversText } from './text.ts';

export type Known = {
  images: ReadonlyMap<string, Image>;
  /** Names by id; null: the list is of one project. */
  projects: ReadonlyMap<string, string> | null;
  operator: boolean;
};

const SHOWN_ADDRESSES = 2;

function Addresses({ server }: { server: Server }) {
  const t = useText(serversText);
  const all = addressesOf(server);
  const shown = all.slice(0, all.length > SHOWN_ADDRESSES + 1 ? SHOWN_ADDRESSES : undefined);
  const rest = all.slice(shown.length);
  return (
    <Flex vertical>
      {shown.map((one) => (
        <span key={one.addr} className="address">
          {one.addr}
          {one['OS-EXT-IPS:type'] === 'floating' ? (
            <Typography.Text type="secondary"> {t.floating}</Typography.Text>
          ) : null}
        </span>
      ))}
      {rest.length === 0 ? null : (
        <Tooltip title={rest.map(({ addr }) => addr).join(', ')}>
          <Typography.Text type="secondary">{t.more(rest.length)}</Typography.Text>
        </Tooltip>
      )}
    </Flex>
  );
}

export function useServerColumns({ images, projects, operator }: Known): readonly Column<Server>[] {
  const t = useText(serversText);
  const format = useFormat();
  const statusName = useStatusName();
  const size = useSize();
  return useMemo((): readonly Column<Server>[] => {
    const imageName = (server: Server): string | null =>
      server.image === '' ? null : (images.get(server.image.id)?.name ?? server.image.id.slice(0, 8));
    const typeName = (server: Server): string | null => {
      const type = typeOf(server, images);
      return type === null ? null : t[type];
    };
    return [
      {
        key: 'name',
        title: t.name,
        width: 170,
        value: ({ name }) => name,
        render: ({ id, name }) => <ResourceLink to="/servers" name={name} id={id} />,
      },
      {
        key: 'status',
        title: t.status,
        width: 170,
        filter: true,
        value: ({ status }) => statusName(status),
        render: (server) => <ServerState server={server} />,
      },
      {
        key: 'type',
        title: t.type,
        width: 100,
        filter: true,
        value: typeName,
        render: (server) => typeName(server) ?? t.unknown,
      },
      {
        key: 'addresses',
        title: t.addresses,
        width: 150,
        value: (server) =>
          addressesOf(server)
            .map(({ addr }) => addr)
            .join(' '),
        render: (server) => <Addresses server={server} />,
      },
      {
        key: 'flavor',
        title: t.flavor,
        width: 105,
        filter: true,
        value: ({ flavor }) => flavor.original_name,
        render: ({ flavor }) => <Tooltip title={size(flavor)}>{flavor.original_name}</Tooltip>,
      },
      {
        key: 'image',
        title: t.image,
        width: 130,
        hidden: projects !== null,
        filter: true,
        value: (server) => imageName(server) ?? t.fromVolume,
        render: (server) =>
          server.image === '' ? (
            <Typography.Text type="secondary">{t.fromVolume}</Typography.Text>
          ) : images.has(server.image.id) ? (
            <ResourceLink to="/images" name={imageName(server)} id={server.image.id} />
          ) : (
            <Id id={server.image.id} short />
          ),
      },
      {
        key: 'zone',
        title: t.zone,
        width: 90,
        hidden: operator,
        filter: true,
        value: (server) => server['OS-EXT-AZ:availability_zone'],
        render: (server) => server['OS-EXT-AZ:availability_zone'] || t.unknown,
      },
      {
        key: 'created',
        title: t.created,
        width: 120,
        value: ({ created }) => created,
        render: ({ created }) => <span title={format.time(created)}>{format.ago(created)}</span>,
      },
      {
        key: 'power',
        title: t.power,
        width: 110,
        filter: true,
        hidden: true,
        value: (server) => t.powers[powerOf(server)],
        render: (server) => t.powers[powerOf(server)],
      },
      {
        key: 'keyPair',
        title: t.keyPair,
        width: 130,
        filter: true,
        hidden: true,
        value: ({ key_name }) => key_name,
        render: ({ key_name }) => key_name ?? t.unknown,
      },
      {
        key: 'tags',
        title: t.tags,
        width: 150,
        hidden: true,
        value: ({ tags }) => tags.join(' '),
        render: ({ tags }) => tags.join(', ') || t.unknown,
      },
      {
        key: 'id',
        title: t.id,
        width: 310,
        hidden: true,
        value: ({ id }) => id,
        render: ({ id }) => <Id id={id} />,
      },
      ...(operator ? [hostColumn(t.host, t.unknown)] : []),
      ...(projects === null ? [] : [projectColumn(t.project, projects)]),
      {
        key: 'actions',
        title: t.actions,
        width: 70,
        render: (server) => <ServerActions server={server} type={typeOf(server, images)} small />,
      },
    ];
  }, [images, projects, operator, t, format, statusName, size]);
}

const hostColumn = (title: string, unknown: string): Column<Server> => ({
  key: 'host',
  title,
  width: 100,
  filter: true,
  value: (server) => server['OS-EXT-SRV-ATTR:host'],
  render: (server) => {
    const host = server['OS-EXT-SRV-ATTR:host'] ?? null;
    return host === null ? unknown : host;
  },
});

const projectColumn = (title: string, projects: ReadonlyMap<string, string>): Column<Server> => {
  const nameOf = ({ tenant_id: id }: Server): string => projects.get(id) ?? id.slice(0, 8);
  return {
    key: 'project',
    title,
    width: 120,
    filter: true,
    value: nameOf,
    render: (server) => <To to={`/projects/${server.tenant_id}`}>{nameOf(server)}</To>,
  };
};
