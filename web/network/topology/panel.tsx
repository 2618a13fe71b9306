// The panel beside the topology: the key facts of what was clicked, and the way to its page.
import { Alert, Button, Descriptions, Drawer, Flex, type DescriptionsProps } from 'antd';
import { nameIn, statesText } from '../../compute/servers/states-text.ts';
import { useText } from '../../kit/language.tsx';
import { Id, To } from '../../kit/link.tsx';
import { StateTag } from '../../kit/state.tsx';
import { useViewport } from '../../kit/viewport.ts';
import { useProjectNames } from '../../kit/project-input.tsx';
import { NetworkState } from '../parts.tsx';
import { networkText } from '../text.ts';
import { Counts, useBoxName } from './boxes.tsx';
import { serverIn, type Choice } from './choice.ts';
import type { Box, FloatingItem, NetworkBox, ServerItem, Topology } from './model.ts';
import { topologyText } from './text.ts';

type Items = NonNullable<DescriptionsProps['items']>;

const Lines = ({ of }: { of: readonly string[] }) => (
  <Flex vertical>
    {of.map((one) => (
      <span key={one}>{one}</span>
    ))}
  </Flex>
);

/** Boxes at the other end of its lines, as links. */
function Neighbours({ topology, ids }: { topology: Topology; ids: ReadonlySet<string> }) {
  const nameOf = useBoxName();
  const boxes = topology.boxes.filter((box) => ids.has(box.id) && box.kind !== 'loose');
  return (
    <Flex vertical>
      {boxes.map((box) => (
        <To key={box.id} to={`/${box.kind}s/${box.id}`}>
          {nameOf(box)}
        </To>
      ))}
    </Flex>
  );
}

const neighboursOf = (topology: Topology, boxId: string): ReadonlySet<string> =>
  new Set(
    topology.links
      .filter(({ kind, source, target }) => kind !== 'server' && (source === boxId || target === boxId))
      .map(({ source, target }) => (source === boxId ? target : source)),
  );

function useServerItems(topology: Topology): (server: ServerItem, boxId: string) => Items {
  const t = useText(topologyText);
  const { statuses, tasks } = useText(statesText);
  return (server, boxId) => {
    const networks = new Set([
      boxId,
      ...topology.links.filter(({ serverId }) => serverId === server.id).map(({ target }) => target),
    ]);
    return [
      {
        key: 'state',
        label: t.state,
        children: (
          <Flex gap={6} align="center">
            <StateTag state={server.task === null ? server.status : 'building'}>
              {nameIn(statuses, server.status)}
            </StateTag>
            {server.task === null ? null : nameIn(tasks, server.task)}
          </Flex>
        ),
      },
      {
        key: 'kind',
        label: t.kind,
        children: server.type === null ? t.server : server.type === 'vm' ? t.vm : t.container,
      },
      {
        key: 'addresses',
        label: t.addresses,
        children: server.addresses.length === 0 ? t.none : <Lines of={server.addresses} />,
      },
      {
        key: 'floating',
        label: t.floatingIp,
        children:
          server.floatingIps.length === 0 ? (
            t.none
          ) : (
            <Lines of={server.floatingIps.map(({ address }) => address)} />
          ),
      },
      {
        key: 'networks',
        label: t.connectedTo,
        children: <Neighbours topology={topology} ids={networks} />,
      },
    ];
  };
}

function useBoxItems(topology: Topology): (box: Box) => Items {
  const t = useText(topologyText);
  const network = (box: NetworkBox): Items => [
    { key: 'kind', label: t.kind, children: box.external ? t.external : box.shared ? t.shared : t.network },
    {
      key: 'subnets',
      label: t.subnets,
      children: box.cidrs.length === 0 ? t.none : <Lines of={box.cidrs} />,
    },
  ];
  return (box) => [
    ...(box.kind === 'loose'
      ? []
      : [{ key: 'state', label: t.state, children: <NetworkState status={box.status} /> }]),
    ...(box.kind === 'network' ? network(box) : []),
    ...(box.kind === 'router'
      ? [
          {
            key: 'gateway',
            label: t.towards,
            children: box.gateway === null ? t.nowhere : <Lines of={box.gateway.addresses} />,
          },
        ]
      : [
          {
            key: 'servers',
            label: t.servers(box.servers.length),
            children: box.servers.length === 0 ? t.noServers : <Counts servers={box.servers} />,
          },
        ]),
    {
      key: 'connected',
      label: t.connectedTo,
      children: <Neighbours topology={topology} ids={neighboursOf(topology, box.id)} />,
    },
  ];
}

function useFloatingItems(): (item: FloatingItem) => Items {
  const t = useText(topologyText);
  const general = useText(networkText);
  return (item) => [
    { key: 'state', label: t.state, children: <NetworkState status={item.status} /> },
    {
      key: 'target',
      label: general.port,
      children: item.forwardings === 0 ? t.free : t.forwards(item.forwardings),
    },
  ];
}

export function ChosenPanel({
  topology,
  choice,
  onClose,
}: {
  topology: Topology;
  choice: Choice | null;
  onClose(): void;
}) {
  const t = useText(topologyText);
  const viewport = useViewport();
  const projects = useProjectNames();
  const nameOf = useBoxName();
  const serverItems = useServerItems(topology);
  const boxItems = useBoxItems(topology);
  const floatingItems = useFloatingItems();
  const box = topology.boxes.find(({ id }) => id === choice?.boxId);
  if (choice === null || box === undefined) return null;
  const server = serverIn(topology, choice);
  const floating =
    server === undefined && box.kind === 'network'
      ? box.floatingIps.find(({ id }) => id === choice.floatingIpId)
      : undefined;
  const projectId = server?.projectId ?? box.projectId;
  const shown =
    server !== undefined
      ? {
          name: server.name,
          id: server.id,
          page: `/servers/${server.id}`,
          items: serverItems(server, box.id),
        }
      : floating !== undefined
        ? { name: floating.address, id: floating.id, page: '/floating-ips', items: floatingItems(floating) }
        : {
            name: nameOf(box),
            id: box.id,
            page: box.kind === 'loose' ? '/servers' : `/${box.kind}s/${box.id}`,
            items: boxItems(box),
          };
  return (
    <Drawer
      open
      mask={false}
      rootClassName="topology-panel"
      size={Math.min(380, viewport.width)}
      title={shown.name}
      onClose={onClose}
      aria-label={shown.name}
      footer={
        <To to={shown.page}>
          <Button type="primary" block tabIndex={-1}>
            {t.openPage}
          </Button>
        </To>
      }
    >
      <Flex vertical gap={12}>
        {server?.tone === 'bad' ? <Alert type="error" showIcon title={t.attention} /> : null}
        <Descriptions
          column={1}
          size="small"
          layout="vertical"
          items={[
            ...shown.items,
            { key: 'project', label: t.project, children: projects.get(projectId) ?? projectId.slice(0, 8) },
            ...(box.kind === 'loose' && server === undefined
              ? []
              : [{ key: 'id', label: 'ID', children: <Id id={shown.id} /> }]),
          ]}
        />
      </Flex>
    </Drawer>
  );
}
