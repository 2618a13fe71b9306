// The network service as tests use it: over HTTP, on a database, with hosts that pull and report.
import type { Tx } from '../kernel/db/index.ts';
import type { Ctx, Platform } from '../kernel/platform.ts';
import type { Item, ItemKind, ItemOf } from '../protocol/items.ts';
import { openTestDatabase, type Engine } from './database.ts';
import { testActor, testPlatform, testServer, type Answer, type TestServer } from './http.ts';
import { createHostService, type HostService } from '../control/host/index.ts';
import { createNetworkService, type NetworkService } from '../control/network/index.ts';

export const actors = {
  alice: testActor('alice', 'project-a'),
  bob: testActor('bob', 'project-b'),
  rita: testActor('rita', 'project-a', ['reader']),
  admin: testActor('admin', 'project-admin', ['admin']),
};
export type Name = keyof typeof actors;

export type TestCloud = {
  platform: Platform;
  server: TestServer;
  network: NetworkService;
  hosts: HostService;
  ctx(name: Name): Ctx;
  call: TestServer['call'];
  /** Creates and returns the object; throws with the answer when it is not 201. */
  // eslint-disable-next-line typescript/no-explicit-any
  make(as: Name, path: string, body: Record<string, object>): Promise<any>;
  /** A network with one subnet. */
  networkWith(as: Name, cidr: string, more?: object): Promise<{ networkId: string; subnetId: string }>;
  external(cidr?: string): Promise<{ networkId: string; subnetId: string }>;
  addHost(hostname: string): Promise<string>;
  /** Makes a server's ports and binds them, in one transaction as the compute service does. */
  boot(as: Name, serverId: string, hostId: string, networkId: string): Promise<string>;
  tx<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  items<K extends ItemKind>(hostId: string, kind: K): Promise<ItemOf<K>[]>;
  /** Reports everything that the host is to have, as an agent without failures. */
  converge(hostId: string): Promise<void>;
  close(): Promise<void>;
};

const facts = (hostname: string) => ({
  hostname,
  architecture: 'x86_64',
  vcpus: 64,
  memoryMib: 65536,
  diskGib: 1000,
  address: '127.0.0.1',
  cpuModel: 'sim',
  guests: [],
});

export async function testCloud(engine: Engine, quotas: Record<string, number> = {}): Promise<TestCloud> {
  const { db, remove } = await openTestDatabase(engine);
  const platform = testPlatform(db, {
    network: 100,
    subnet: 100,
    subnetpool: 100,
    port: 500,
    router: 10,
    floatingip: 50,
    port_forwarding: 200,
    qos_policy: 50,
    security_group: 10,
    security_group_rule: 100,
    rbac_policy: 10,
    ...quotas,
  });
  const hosts = createHostService(platform, { openImage: () => Promise.reject(new Error('no images here')) });
  const network = createNetworkService(platform, { hosts });
  const server = await testServer(platform, [network.service], actors);
  const singular = (body: Record<string, object>): string => Object.keys(body)[0] ?? '';
  const pulled = async (hostId: string): Promise<Item[]> => (await hosts.link.pull(hostId, 0)).items;

  const cloud: TestCloud = {
    platform,
    server,
    network,
    hosts,
    ctx: (name) => ({
      platform,
      actor: actors[name],
      requestId: 'req-test',
      microversion: 0,
      action: 'test',
    }),
    call: (as, method, url, body, headers) => server.call(as, method, `/network/v2.0${url}`, body, headers),
    async make(as, path, body) {
      const answer = await cloud.call(as, 'POST', path, body);
      if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
      return answer.json[singular(body)];
    },
    async networkWith(as, cidr, more = {}) {
      const made = await cloud.make(as, '/networks', { network: { name: 'net' } });
      const subnet = await cloud.make(as, '/subnets', {
        subnet: { network_id: made.id, ip_version: cidr.includes(':') ? 6 : 4, cidr, ...more },
      });
      return { networkId: made.id, subnetId: subnet.id };
    },
    async external(cidr = '203.0.113.0/24') {
      const made = await cloud.make('admin', '/networks', {
        network: { name: 'public', 'router:external': true },
      });
      const subnet = await cloud.make('admin', '/subnets', {
        subnet: { network_id: made.id, ip_version: 4, cidr, enable_dhcp: false },
      });
      return { networkId: made.id, subnetId: subnet.id };
    },
    addHost: async (hostname) =>
      (await hosts.link.register(facts(hostname), { consoleLog: () => Promise.resolve('') })).hostId,
    boot: (as, serverId, hostId, networkId) =>
      db.tx(async (tx) => {
        const scope = actors[as].scope;
        const projectId = scope.type === 'project' ? scope.id : '';
        const [port] = await network.api.claimPorts(
          tx,
          cloud.ctx(as),
          { id: serverId, projectId, hostname: serverId, type: 'vm' },
          [{ networkId, fixedIp: null }],
          null,
        );
        await network.api.bindPorts(tx, serverId, hostId);
        return port?.portId ?? '';
      }),
    tx: (work) => db.tx(work),
    async items(hostId, kind) {
      const items = (await pulled(hostId)).filter((item) => item.kind === kind && item.body !== null);
      return items as ItemOf<typeof kind>[];
    },
    async converge(hostId) {
      const items = await pulled(hostId);
      await hosts.link.report(
        hostId,
        items.map((item) => ({
          kind: item.kind,
          id: item.id,
          generation: item.generation,
          state: item.body === null ? 'gone' : 'applied',
          error: null,
        })),
      );
    },
    async close() {
      await server.close();
      await remove();
    },
  };
  return cloud;
}

export const typeOf = (answer: Answer): string => String(answer.json.NeutronError?.type);
