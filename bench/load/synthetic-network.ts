// A cloud that is only told of: the rows that its list calls would answer, for pages that must bear thousands of them.
import type { Page, Route } from 'playwright-core';

type Row = { id: string } & Readonly<Record<string, unknown>>;
export type SyntheticCloud = Readonly<Record<string, readonly Row[]>>;

const SERVERS_PER_PROJECT = 50;
/** Shares of a project's servers in its networks: a large one, and smaller ones. */
const SHARES = [0.5, 0.3, 0.15, 0.05] as const;
const STATES = ['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'SHUTOFF', 'ERROR', 'PAUSED'] as const;

/** e.g. (7, 12) -> '00000007-0000-4000-8000-00000000000c' */
const idOf = (kind: number, at: number): string =>
  `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${at.toString(16).padStart(12, '0')}`;

const ADMIN_PROJECT = idOf(1, 0xffff);
const EXTERNAL = idOf(2, 0xffff);

/** The same rows for the same number: nothing in them is left to chance. */
export function syntheticCloud(serverCount: number): SyntheticCloud {
  const projects: Row[] = [];
  const networks: Row[] = [
    {
      id: EXTERNAL,
      name: 'public',
      project_id: ADMIN_PROJECT,
      status: 'ACTIVE',
      admin_state_up: true,
      shared: false,
      'router:external': true,
      subnets: [],
    },
  ];
  const subnets: Row[] = [];
  const routers: Row[] = [];
  const ports: Row[] = [];
  const floatingips: Row[] = [];
  const servers: Row[] = [];
  const addPort = (network: number, host: number, owner: string, device: string): string => {
    const id = idOf(5, ports.length);
    ports.push({
      id,
      network_id: idOf(2, network),
      device_owner: owner,
      device_id: device,
      status: 'ACTIVE',
      fixed_ips: [
        {
          subnet_id: idOf(3, network),
          ip_address: `10.${network >> 8}.${network & 255}.${(host % 250) + 1}`,
        },
      ],
    });
    return id;
  };

  for (let p = 0; p * SERVERS_PER_PROJECT < serverCount; p++) {
    const project_id = idOf(1, p);
    projects.push({ id: project_id, name: `project-${p}` });
    routers.push({
      id: idOf(4, p),
      name: `router-${p}`,
      project_id,
      status: 'ACTIVE',
      admin_state_up: true,
      external_gateway_info: {
        network_id: EXTERNAL,
        external_fixed_ips: [{ ip_address: `198.51.${p >> 8}.${p & 255}` }],
      },
      routes: [],
    });
    const here = Math.min(SERVERS_PER_PROJECT, serverCount - servers.length);
    for (const [n, share] of SHARES.entries()) {
      const network = p * SHARES.length + n;
      networks.push({
        id: idOf(2, network),
        name: `net-${p}-${n}`,
        project_id,
        status: 'ACTIVE',
        admin_state_up: true,
        shared: false,
        'router:external': false,
        subnets: [idOf(3, network)],
      });
      subnets.push({
        id: idOf(3, network),
        network_id: idOf(2, network),
        cidr: `10.${network >> 8}.${network & 255}.0/24`,
      });
      addPort(network, 0, 'network:router_interface', idOf(4, p));
      const last = n === SHARES.length - 1;
      const until = last ? (p + 1) * SERVERS_PER_PROJECT : servers.length + Math.round(here * share);
      for (let s = 1; servers.length < Math.min(until, serverCount); s++) {
        const at = servers.length;
        const status = STATES[(at * 31) % 101 < 90 ? 0 : at % STATES.length] ?? 'ACTIVE';
        const id = idOf(6, at);
        servers.push({
          id,
          name: `server-${String(at).padStart(4, '0')}`,
          status,
          tenant_id: project_id,
          image: '',
          'OS-EXT-STS:task_state': null,
        });
        const port_id = addPort(network, s, 'compute:nova', id);
        // Some are on a second network too.
        if (at % 40 === 0)
          addPort(p * SHARES.length + ((n + 1) % SHARES.length), s + 100, 'compute:nova', id);
        if (at % 10 === 0)
          floatingips.push({
            id: idOf(7, at),
            floating_ip_address: `203.0.${at >> 8}.${at & 255}`,
            floating_network_id: EXTERNAL,
            port_id,
            status: 'ACTIVE',
            project_id,
            port_forwardings: [],
          });
      }
    }
  }
  return { projects, networks, subnets, routers, ports, floatingips, servers, images: [] };
}

const LISTS: Readonly<Record<string, string>> = {
  '/identity/v3/projects': 'projects',
  '/network/v2.0/networks': 'networks',
  '/network/v2.0/subnets': 'subnets',
  '/network/v2.0/routers': 'routers',
  '/network/v2.0/ports': 'ports',
  '/network/v2.0/floatingips': 'floatingips',
  '/compute/v2.1/servers/detail': 'servers',
  '/image/v2/images': 'images',
};

/** The page's list calls are answered from `cloud`, page by page; everything else goes where it went. */
export async function answerFrom(page: Page, cloud: SyntheticCloud): Promise<void> {
  const answer = async (route: Route): Promise<void> => {
    const url = new URL(route.request().url());
    const list = LISTS[url.pathname];
    if (list === undefined || route.request().method() !== 'GET') return route.fallback();
    const rows = cloud[list] ?? [];
    const limit = Number(url.searchParams.get('limit') ?? rows.length);
    const after = rows.findIndex(({ id }) => id === url.searchParams.get('marker')) + 1;
    return route.fulfill({ json: { [list]: rows.slice(after, after + limit) } });
  };
  await page.route((url) => Object.hasOwn(LISTS, url.pathname), answer);
}
