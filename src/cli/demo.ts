// The demo: through the public API only, a network, a router, a VM and a container that ping each other. Safe
// to repeat on the same data dir: what exists already is used.
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { signIn, type ApiClient } from './api-client.ts';

type Named = { id: string; name: string };
type Server = Named & {
  status: string;
  fault?: { message: string };
  addresses: Record<string, { addr: string }[]>;
};
type Port = Named & { fixed_ips: { ip_address: string }[] };

const WAIT_MS = 180_000;
const CIDR = '10.77.0.0/24';

async function findOrCreate<T extends Named>(
  api: ApiClient,
  path: string,
  plural: string,
  singular: string,
  name: string,
  body: object,
): Promise<T> {
  const found = await api.call<Record<string, T[]>>('GET', `${path}?name=${encodeURIComponent(name)}`);
  const match = found[plural]?.find((one) => one.name === name);
  if (match !== undefined) return match;
  return (await api.call<Record<string, T>>('POST', path, { [singular]: { name, ...body } }))[singular] as T;
}

/** Polls until `done` answers something; the cloud is asked as any client asks it. */
async function until<T>(what: string, done: () => Promise<T | null>): Promise<T> {
  const limit = performance.now() + WAIT_MS;
  for (;;) {
    const result = await done();
    if (result !== null) return result;
    if (performance.now() > limit) throw new Error(`${what} took longer than ${WAIT_MS / 1000} s`);
    await sleep(200);
  }
}

const pingScript = (peer: string): string =>
  Buffer.from(
    `#!/bin/sh\nuntil ping -c 1 -W 1 ${peer} >/dev/null; do sleep 0.2; done\nping -c 3 -i 0.3 ${peer}\necho "STRATA ping ${peer} ok"\n`,
  ).toString('base64');

/** A console is a guest's own words: no escape sequence of it reaches the user's terminal. */
const printable = (log: string): string => stripVTControlCharacters(log).replaceAll(/[^\n\x20-\x7e]/g, '');

export async function runDemo(options: {
  url: string;
  password: string;
  say: (line: string) => void;
  fetchOptions: { ca?: string };
}): Promise<void> {
  const { url, password, say } = options;
  const began = performance.now();
  const step = (line: string): void =>
    say(`[${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s] ${line}`);
  const api = await signIn(url, 'demo', password, options.fetchOptions.ca);
  step('signed in as demo');

  const network = await findOrCreate<Named>(
    api,
    '/network/v2.0/networks',
    'networks',
    'network',
    'demo-net',
    {},
  );
  const subnet = await findOrCreate<Named>(api, '/network/v2.0/subnets', 'subnets', 'subnet', 'demo-subnet', {
    network_id: network.id,
    ip_version: 4,
    cidr: CIDR,
  });
  step(`network demo-net (${CIDR})`);
  const router = await findOrCreate<Named>(
    api,
    '/network/v2.0/routers',
    'routers',
    'router',
    'demo-router',
    {},
  );
  const external = (
    await api.call<{ networks: Named[] }>('GET', '/network/v2.0/networks?router:external=true')
  ).networks[0];
  if (external === undefined) throw new Error('there is no external network');
  await api.call('PUT', `/network/v2.0/routers/${router.id}`, {
    router: { external_gateway_info: { network_id: external.id } },
  });
  const attached = await api.call<{ ports: Port[] }>(
    'GET',
    `/network/v2.0/ports?device_id=${router.id}&network_id=${network.id}`,
  );
  if (attached.ports.length === 0)
    await api.call('PUT', `/network/v2.0/routers/${router.id}/add_router_interface`, {
      subnet_id: subnet.id,
    });
  step(`router demo-router: demo-net to ${external.name}`);
  const group = await findOrCreate<
    Named & { security_group_rules: { direction: string; protocol: string | null }[] }
  >(api, '/network/v2.0/security-groups', 'security_groups', 'security_group', 'demo-ping', {
    description: 'Ping from anywhere',
  });
  if (!group.security_group_rules.some((rule) => rule.direction === 'ingress' && rule.protocol === 'icmp'))
    await api.call('POST', '/network/v2.0/security-group-rules', {
      security_group_rule: {
        security_group_id: group.id,
        direction: 'ingress',
        ethertype: 'IPv4',
        protocol: 'icmp',
      },
    });
  step('security group demo-ping: ICMP from anywhere');

  const names = ['demo-vm', 'demo-container'] as const;
  const images = { 'demo-vm': 'tiny', 'demo-container': 'tiny-container' } as const;
  const portOf = (name: string) =>
    findOrCreate<Port>(api, '/network/v2.0/ports', 'ports', 'port', name, {
      network_id: network.id,
      security_groups: [group.id],
    });
  const ports = { 'demo-vm': await portOf('demo-vm'), 'demo-container': await portOf('demo-container') };
  const addressOf = (name: (typeof names)[number]): string => ports[name].fixed_ips[0]?.ip_address ?? '';
  const flavors = (await api.call<{ flavors: Named[] }>('GET', '/compute/v2.1/flavors')).flavors;
  const flavor = flavors.find((one) => one.name === 'm1.nano') ?? flavors[0];
  const servers: Server[] = [];
  for (const name of names) {
    const peer = name === 'demo-vm' ? 'demo-container' : 'demo-vm';
    const image = (await api.call<{ images: Named[] }>('GET', `/image/v2/images?name=${images[name]}`))
      .images[0];
    servers.push(
      await findOrCreate<Server>(api, '/compute/v2.1/servers', 'servers', 'server', name, {
        imageRef: image?.id,
        flavorRef: flavor?.id,
        networks: [{ port: ports[name].id }],
        user_data: pingScript(addressOf(peer)),
      }),
    );
    step(`${name}: asked for, image ${images[name]}, address ${addressOf(name)}`);
  }
  for (const [at, { id }] of servers.entries()) {
    const server = await until(`starting ${names[at]}`, async () => {
      const { server: now } = await api.call<{ server: Server }>('GET', `/compute/v2.1/servers/${id}`);
      if (now.status === 'ERROR')
        throw new Error(`${now.name} is in ERROR: ${now.fault?.message ?? 'no fault was recorded'}`);
      return now.status === 'ACTIVE' ? now : null;
    });
    step(`${server.name}: ${server.status}`);
  }
  const consoles = new Map<string, string>();
  for (const [at, { id }] of servers.entries()) {
    const name = names[at] ?? 'demo-vm';
    const peer = name === 'demo-vm' ? 'demo-container' : 'demo-vm';
    const log = await until(`the ping from ${name} to ${peer}`, async () => {
      const { output } = await api.call<{ output: string }>('POST', `/compute/v2.1/servers/${id}/action`, {
        'os-getConsoleOutput': { length: 40 },
      });
      return output.includes(`STRATA ping ${addressOf(peer)} ok`) ? output : null;
    });
    consoles.set(name, log);
    step(`${name} pings ${peer} at ${addressOf(peer)}: ok`);
  }
  for (const [name, log] of consoles) {
    say(`--- console of ${name} (last lines)`);
    for (const line of printable(log).trimEnd().split('\n').slice(-12)) say(`    ${line}`);
  }
  for (const name of names) say(`${name}: ${addressOf(name)}`);
}
