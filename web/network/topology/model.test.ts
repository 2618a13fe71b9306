// The topology's graph: what must hold whatever rows the API answers.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrange, collapseAbove, groupOf, isCollapsed, structureOf, tileAt, TILE } from './arrangement.ts';
import { findable, matches, serverIn } from './choice.ts';
import { groupGraphs, packingGraph, placementOf } from './layout-graph.ts';
import { countTones, topologyOf, type NetworkBox, type Rows, type Topology } from './model.ts';

type ServerSpec = { project: number; networks: number[]; status: string; floating: boolean };

/** Two projects with a router each, networks n0… of alternating projects, and the external network x. */
function rowsOf(networkCount: number, servers: readonly ServerSpec[]): Rows {
  const network = (id: string, project: string, external: boolean) => ({
    id,
    name: id,
    status: 'ACTIVE',
    project_id: project,
    shared: false,
    admin_state_up: true,
    'router:external': external,
  });
  const port = (id: string, network_id: string, device_owner: string, device_id: string, ip: string) => ({
    id,
    network_id,
    device_owner,
    device_id,
    status: 'ACTIVE',
    fixed_ips: [{ subnet_id: `s-${network_id}`, ip_address: ip }],
  });
  const networks = Array.from({ length: networkCount }, (_, at) => network(`n${at}`, `p${at % 2}`, false));
  const serverPorts = servers.flatMap(({ networks: wanted }, at) =>
    wanted.map((n) =>
      port(`port-${at}-${n}`, `n${n % networkCount}`, 'compute:nova', `server-${at}`, `10.${n}.0.${at}`),
    ),
  );
  return {
    networks: [network('x', 'admin', true), ...networks],
    subnets: networks.map(({ id }, at) => ({ id: `s-${id}`, network_id: id, cidr: `10.${at}.0.0/24` })),
    routers: ['p0', 'p1'].map((project) => ({
      id: `router-${project}`,
      name: `router-${project}`,
      status: 'ACTIVE',
      project_id: project,
      admin_state_up: true,
      external_gateway_info: { network_id: 'x', external_fixed_ips: [{ ip_address: '198.51.100.9' }] },
    })),
    ports: [
      ...networks.map(({ id, project_id: project }, at) =>
        port(`if-${id}`, id, 'network:router_interface', `router-${project}`, `10.${at}.0.1`),
      ),
      ...networks.map(({ id }, at) => port(`dhcp-${id}`, id, 'network:dhcp', 'x', `10.${at}.0.2`)),
      ...serverPorts,
    ],
    floatingIps: servers.flatMap(({ floating, networks: wanted, project }, at) =>
      floating
        ? [
            {
              id: `fip-${at}`,
              floating_ip_address: `198.51.100.${at}`,
              floating_network_id: 'x',
              port_id: wanted[0] === undefined ? null : `port-${at}-${wanted[0]}`,
              status: 'ACTIVE',
              project_id: `p${project}`,
              port_forwardings: [],
            },
          ]
        : [],
    ),
    servers: servers.map(({ project, status }, at) => ({
      id: `server-${at}`,
      name: `server-${at}`,
      status,
      task: null,
      projectId: `p${project}`,
      type: 'vm',
    })),
  };
}

const serverSpec: fc.Arbitrary<ServerSpec> = fc.record({
  project: fc.nat(1),
  networks: fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
  status: fc.constantFrom('ACTIVE', 'ERROR', 'SHUTOFF', 'BUILD', 'PAUSED'),
  floating: fc.boolean(),
});
const rows = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.array(serverSpec, { maxLength: 40 }))
  .map(([networks, servers]) => rowsOf(networks, servers));

const serversIn = ({ boxes }: Topology) => boxes.flatMap((box) => (box.kind === 'router' ? [] : box.servers));
const networkBox = (topology: Topology, id: string): NetworkBox => {
  const box = topology.boxes.find((one) => one.id === id);
  return box?.kind === 'network' ? box : expect.fail(`${id} is no network`);
};
const none: ReadonlyMap<string, boolean> = new Map();

describe('the graph of the topology', () => {
  it('has every server exactly once, and every floating IP', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const topology = topologyOf(given);
        const servers = serversIn(topology);
        expect(servers.map(({ id }) => id).toSorted()).toEqual(given.servers.map(({ id }) => id).toSorted());
        const floating = [
          ...servers.flatMap((server) => server.floatingIps),
          ...topology.boxes.flatMap((box) => (box.kind === 'network' ? box.floatingIps : [])),
        ];
        expect(floating.map(({ id }) => id).toSorted()).toEqual(
          given.floatingIps.map(({ id }) => id).toSorted(),
        );
      }),
    );
  });

  it('joins only boxes that are there, and each further network of a server once', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const { boxes, links } = topologyOf(given);
        const ids = new Set(boxes.map(({ id }) => id));
        expect(links.filter(({ source, target }) => !ids.has(source) || !ids.has(target))).toEqual([]);
        expect(new Set(links.map(({ id }) => id)).size).toBe(links.length);
        for (const server of given.servers) {
          const networks = new Set(
            given.ports.filter(({ device_id: id }) => id === server.id).map(({ network_id: id }) => id),
          );
          const further = links.filter(({ serverId }) => serverId === server.id);
          expect(further).toHaveLength(Math.max(0, networks.size - 1));
        }
      }),
    );
  });

  it('is the same whatever order the rows come in', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const reversed: Rows = {
          networks: given.networks.toReversed(),
          subnets: given.subnets.toReversed(),
          ports: given.ports.toReversed(),
          routers: given.routers.toReversed(),
          floatingIps: given.floatingIps.toReversed(),
          servers: given.servers.toReversed(),
        };
        expect(topologyOf(reversed).boxes).toEqual(topologyOf(given).boxes);
        expect(topologyOf(reversed).links).toEqual(topologyOf(given).links);
      }),
    );
  });

  it('shows servers without a network by project, and floating IPs without a server at their network', () => {
    const topology = topologyOf(rowsOf(1, [{ project: 1, networks: [], status: 'ERROR', floating: true }]));
    expect(topology.boxes.find(({ kind }) => kind === 'loose')).toMatchObject({
      projectId: 'p1',
      servers: [{ id: 'server-0', tone: 'bad', floatingIps: [] }],
    });
    expect(networkBox(topology, 'x').floatingIps).toMatchObject([{ address: '198.51.100.0' }]);
  });

  it('says of a network that its owner switched off that it is off, not broken', () => {
    const given = rowsOf(1, []);
    const off = {
      ...given,
      networks: given.networks.map((one) => ({ ...one, admin_state_up: false, status: 'ERROR' })),
    };
    expect(networkBox(topologyOf(off), 'n0').tone).toBe('idle');
  });

  it('counts what needs attention first', () => {
    const tones = ['good', 'bad', 'good', 'idle'] as const;
    expect(countTones(tones.map((tone) => ({ tone })))).toEqual([
      { tone: 'bad', count: 1 },
      { tone: 'idle', count: 1 },
      { tone: 'good', count: 2 },
    ]);
  });
});

describe('large networks', () => {
  const sized = (...sizes: number[]): Topology =>
    topologyOf(
      rowsOf(
        sizes.length,
        sizes.flatMap((size, at) =>
          Array.from({ length: size }, () => ({
            project: 0,
            networks: [at],
            status: 'ACTIVE',
            floating: false,
          })),
        ),
      ),
    );

  it('collapse until a browser can draw the rest, the largest first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 10, max: 200 }),
        (sizes, budget) => {
          const above = collapseAbove(sized(...sizes), budget);
          const open = sizes.filter((size) => size <= above);
          expect(above <= 6 || open.reduce((sum, size) => sum + size, 0) <= budget).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
    expect(collapseAbove(sized(5, 40, 90))).toBe(100);
  });

  it('stay as their user left them', () => {
    const topology = sized(3, 120);
    const boxes = ['n0', 'n1'].map((id) => networkBox(topology, id));
    expect(boxes.map((box) => isCollapsed(box, 100, none))).toEqual([false, true]);
    const chosen = new Map([
      ['n0', false],
      ['n1', true],
    ]);
    expect(boxes.map((box) => isCollapsed(box, 100, chosen))).toEqual([true, false]);
  });
});

describe('the arrangement', () => {
  it('has a place in its box for every server, and none for two', () => {
    fc.assert(
      fc.property(rows, (given) => {
        for (const drawn of arrange(topologyOf(given), none).drawn) {
          if (drawn.box.kind === 'router' || drawn.collapsed) continue;
          const places = drawn.box.servers.map((_, index) => tileAt(drawn, index));
          expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(places.length);
          for (const { x, y } of places) {
            expect(x + TILE.width).toBeLessThan(drawn.width);
            expect(y + TILE.height).toBeLessThan(drawn.height);
          }
        }
      }),
    );
  });

  it('needs no other layout when only states change', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const broken: Rows = {
          ...given,
          servers: given.servers.map((server) => ({ ...server, status: 'ERROR', task: 'rebooting' })),
          networks: given.networks.map((network) => ({ ...network, status: 'DOWN' })),
          ports: given.ports.map((port) => ({ ...port, status: 'DOWN' })),
        };
        expect(structureOf(arrange(topologyOf(broken), none))).toBe(
          structureOf(arrange(topologyOf(given), none)),
        );
      }),
    );
  });

  it('needs another layout when a network is opened or a link comes', () => {
    const server: ServerSpec = { project: 0, networks: [0], status: 'ACTIVE', floating: false };
    const before = topologyOf(rowsOf(2, [server]));
    const structure = structureOf(arrange(before, none));
    expect(structureOf(arrange(before, new Map([['n0', false]])))).not.toBe(structure);
    const joined = topologyOf(rowsOf(2, [{ ...server, networks: [0, 1] }]));
    expect(structureOf(arrange(joined, none))).not.toBe(structure);
  });
});

describe('the graphs for the layout engine', () => {
  it('have every box of their project once, and only lines between them', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const arrangement = arrange(topologyOf(given), none);
        const graphs = groupGraphs(arrangement);
        const framed = arrangement.drawn.filter(({ box }) => groupOf(box) !== null).map(({ box }) => box.id);
        expect(graphs.flatMap(({ children = [] }) => children.map(({ id }) => id)).toSorted()).toEqual(
          framed.toSorted(),
        );
        for (const { children = [], edges = [] } of graphs) {
          const ids = new Set(children.map(({ id }) => id));
          expect(
            edges.every(({ sources, targets }) => [...sources, ...targets].every((id) => ids.has(id))),
          ).toBe(true);
          expect(new Set(edges.map(({ id }) => id)).size).toBe(edges.length);
        }
      }),
    );
  });

  it('are moved to where their group was packed, below the external networks', () => {
    const arrangement = arrange(topologyOf(rowsOf(2, [])), none);
    const groups = groupGraphs(arrangement).map((graph) => ({
      ...graph,
      width: 500,
      height: 300,
      children: (graph.children ?? []).map((child, at) => ({ ...child, x: 10, y: at * 100 })),
    }));
    const packed = packingGraph(groups);
    const placement = placementOf(arrangement, groups, {
      ...packed,
      children: (packed.children ?? []).map((child, at) => ({ ...child, x: at * 600, y: 0 })),
    });
    const external = placement.boxes.get('x') ?? expect.fail('no external network');
    for (const [id, at] of placement.boxes) if (id !== 'x') expect(at.y).toBeGreaterThan(external.y);
    expect([...placement.groups.values()].map(({ x }) => x)).toEqual([0, 600]);
    expect(placement.boxes.get('n1')?.x).toBe(610);
  });
});

describe('the search', () => {
  it('finds servers by name, address, floating IP and id, and leads to their box', () => {
    const topology = topologyOf(
      rowsOf(2, [
        { project: 0, networks: [0], status: 'ACTIVE', floating: true },
        { project: 1, networks: [1], status: 'ACTIVE', floating: false },
      ]),
    );
    const find = (text: string) => findable(topology).filter((found) => matches(found, text));
    expect(find('SERVER-1').map(({ choice }) => choice)).toEqual([{ boxId: 'n1', serverId: 'server-1' }]);
    expect(find('10.1.0.1').map(({ kind }) => kind)).toContain('server');
    const [floating] = find('198.51.100.0');
    expect(serverIn(topology, floating?.choice ?? expect.fail('not found'))?.id).toBe('server-0');
    expect(find('router-p1').map(({ kind }) => kind)).toEqual(['router']);
    expect(find('nothing of that name')).toEqual([]);
  });
});
