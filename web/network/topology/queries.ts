// Everything that the topology shows, kept up to date, as one graph.
import { queryOptions, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { imagesQuery, serversQuery } from '../../compute/servers/api.ts';
import { paceFor, typeOf } from '../../compute/servers/server.ts';
import { all } from '../../kit/api.ts';
import { livePace } from '../../kit/live.ts';
import { isOperator, useSession } from '../../kit/session.ts';
import { floatingIpsQuery } from '../floating-ips/api.ts';
import { networksQuery } from '../networks/api.ts';
import { routersQuery } from '../routers/api.ts';
import { subnetsQuery } from '../subnets/api.ts';
import { topologyOf, type Topology, type TopologyPort } from './model.ts';

/** No more of each port than the graph needs: there are thousands. */
const portsQuery = queryOptions({
  queryKey: ['ports', 'topology'],
  queryFn: ({ signal }) =>
    all<TopologyPort>(
      '/network/v2.0/ports',
      'ports',
      { fields: ['id', 'network_id', 'device_id', 'device_owner', 'fixed_ips', 'status'] },
      signal,
    ),
  refetchInterval: ({ state: { data = [] } }) =>
    paceFor(livePace(data.map(({ status }) => status)), data.length),
});

/** Of all projects for an operator, else of the own one. */
export function useTopology(): {
  topology: Topology | null;
  error: unknown;
  retry(): void;
} {
  const operator = isOperator(useSession());
  const networks = useQuery(networksQuery());
  const subnets = useQuery(subnetsQuery());
  const routers = useQuery(routersQuery());
  const floatingIps = useQuery(floatingIpsQuery());
  const ports = useQuery(portsQuery);
  const servers = useQuery(serversQuery(operator));
  const images = useQuery(imagesQuery);

  const rows = [
    networks.data,
    subnets.data,
    routers.data,
    floatingIps.data,
    ports.data,
    servers.data,
  ] as const;
  // Images only say which servers are containers: the graph does not wait for them.
  const topology = useMemo(() => {
    const [networkRows, subnetRows, routerRows, floatingRows, portRows, serverRows] = rows;
    if (
      networkRows === undefined ||
      subnetRows === undefined ||
      routerRows === undefined ||
      floatingRows === undefined ||
      portRows === undefined ||
      serverRows === undefined
    )
      return null;
    return topologyOf({
      networks: networkRows,
      subnets: subnetRows,
      routers: routerRows,
      floatingIps: floatingRows,
      ports: portRows,
      servers: serverRows.map((server) => ({
        id: server.id,
        name: server.name,
        status: server.status,
        task: server['OS-EXT-STS:task_state'],
        projectId: server.tenant_id,
        type: typeOf(server, images.data ?? new Map()),
      })),
    });
  }, [...rows, images.data]);
  const queries = [networks, subnets, routers, floatingIps, ports, servers];
  return {
    topology,
    error: queries.find(({ error }) => error !== null)?.error ?? null,
    retry() {
      for (const query of queries) if (query.error !== null) void query.refetch();
    },
  };
}
