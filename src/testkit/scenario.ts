// What tenants do all at once in a simulated cloud: servers, networks, groups and addresses come and go, while the
// program is killed and its hosts misbehave. It keeps what clients were told, for the invariants.
// lines: its clients share what they were told.
import { disksWith } from './scenario-disks.ts';
import type { Answer } from './http.ts';
import type { Witness } from './invariants.ts';
import { endGuest, incarnationsOf } from './sim-host.ts';
import type { World } from './world.ts';

export type Scenario = {
  /** Ends when every client has done what it wanted. */
  run(): Promise<void>;
  witness: Witness;
  /** Answers that no client should ever get. */
  wrong: string[];
};

type Given = { networks: string[]; groups: string[] };

export function createScenario(world: World, options: { servers: number; misfortune?: boolean }): Scenario {
  const { rng, clock } = world;
  const created = new Set<string>();
  const deleted = new Set<string>();
  const running = new Map<string, number>();
  const touched = new Set<string>();
  const wrong: string[] = [];

  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.timer(ms, resolve));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng() * list.length)] as T;
  const touch = (id: string): void => {
    touched.add(id);
    running.delete(id);
  };
  /** Whatever runs now and is left alone runs on. */
  const watchRunning = (): void => {
    for (const host of world.hosts)
      for (const [id, incarnation] of incarnationsOf(host))
        if (!touched.has(id) && !running.has(id)) running.set(id, incarnation);
  };
  world.onCrash(watchRunning);

  /** One try; null: nobody knows what came of it. */
  async function ask(method: string, url: string, body?: unknown): Promise<Answer | null> {
    const answer = await world.call('demo', method, url, body);
    if (answer !== null && answer.status >= 500)
      wrong.push(`${method} ${url}: ${answer.status} ${answer.text}`);
    return answer;
  }

  /** Repeats until there is an answer: for what is the same done twice. */
  async function insist(method: string, url: string, body?: unknown): Promise<Answer> {
    for (;;) {
      const answer = await ask(method, url, body);
      if (answer !== null) return answer;
      await sleep(700);
    }
  }

  /** Creates exactly one by its unique name: after a crash it first looks whether it is there. */
  async function create(
    url: string,
    list: string,
    key: string,
    body: Record<string, unknown> & { name: string },
  ): Promise<string | null> {
    for (;;) {
      const answer = await ask('POST', url, { [key]: body });
      if (answer !== null) {
        if (answer.status >= 400) return null;
        return (answer.json as Record<string, { id: string }>)[key]?.id ?? null;
      }
      await sleep(700);
      const found = await insist('GET', list + encodeURIComponent(body.name));
      const all = Object.values(found.json as Record<string, { id: string }[]>)[0] ?? [];
      if (all.length > 1) wrong.push(`${all.length} objects are named ${body.name}`);
      if (all[0] !== undefined) return all[0].id;
    }
  }

  const network = '/network/v2.0';
  const createNamed = (
    plural: string,
    key: string,
    body: Record<string, unknown> & { name: string },
  ): Promise<string | null> =>
    create(`${network}/${plural}`, `${network}/${plural}?fields=id&name=`, key, body);

  async function demand(
    plural: string,
    key: string,
    body: Record<string, unknown> & { name: string },
  ): Promise<string> {
    const id = await createNamed(plural, key, body);
    if (id === null) throw new Error(`${key} ${body.name} was refused`);
    return id;
  }

  async function prepare(): Promise<Given> {
    const networks: string[] = [];
    const external = (await insist('GET', `${network}/networks?router:external=true`)).json as {
      networks: { id: string }[];
    };
    const router = await demand('routers', 'router', {
      name: 'router',
      external_gateway_info: { network_id: external.networks[0]?.id },
    });
    for (const at of [1, 2]) {
      const id = await demand('networks', 'network', { name: `net-${at}` });
      const subnet = await demand('subnets', 'subnet', {
        name: `subnet-${at}`,
        network_id: id,
        cidr: `10.${at}.0.0/24`,
        ip_version: 4,
      });
      await insist('PUT', `${network}/routers/${router}/add_router_interface`, { subnet_id: subnet });
      networks.push(id);
    }
    const groups: string[] = [];
    for (const name of ['web', 'db']) {
      const id = await demand('security-groups', 'security_group', { name });
      await insist('POST', `${network}/security-group-rules`, {
        security_group_rule: {
          security_group_id: id,
          direction: 'ingress',
          protocol: 'tcp',
          port_range_min: 80,
          port_range_max: 80,
          ...(groups[0] === undefined ? {} : { remote_group_id: groups[0] }),
        },
      });
      groups.push(id);
    }
    return { networks, groups };
  }

  async function statusOf(id: string): Promise<string | null> {
    const answer = await insist('GET', `/compute/v2.1/servers/${id}`);
    return answer.status === 404
      ? null
      : ((answer.json as { server: { status: string } }).server.status ?? null);
  }

  async function remove(id: string): Promise<void> {
    touch(id);
    created.delete(id);
    await insist('DELETE', `/compute/v2.1/servers/${id}`);
    deleted.add(id);
  }

  /** Into rescue, and maybe out of it again. */
  async function rescue(id: string): Promise<void> {
    touch(id);
    const act = (action: object) => ask('POST', `/compute/v2.1/servers/${id}/action`, action);
    await act({ rescue: {} });
    await sleep(rng() * 5_000);
    if (rng() < 0.6) await act({ unrescue: null });
    await sleep(rng() * 3_000);
  }

  /** Another interface on some network, or by a port of its own; maybe detached again, by either service. */
  async function changeInterfaces(id: string, given: Given): Promise<void> {
    const path = `/compute/v2.1/servers/${id}/os-interface`;
    const port =
      rng() < 0.5
        ? await createNamed('ports', 'port', { name: `own-${id}`, network_id: pick(given.networks) })
        : null;
    const attached = await ask('POST', path, {
      interfaceAttachment: port === null ? { net_id: pick(given.networks) } : { port_id: port },
    });
    await sleep(rng() * 4_000);
    const made = (attached?.json as { interfaceAttachment?: { port_id: string } } | undefined)
      ?.interfaceAttachment?.port_id;
    const fate = rng();
    if (made !== undefined && fate < 0.5) await ask('DELETE', `${path}/${made}`);
    if (fate > 0.4 && fate < 0.6 && made !== undefined) await insist('DELETE', `${network}/ports/${made}`);
    await sleep(rng() * 2_000);
  }

  async function serverClient(at: number, given: Given): Promise<void> {
    await sleep(rng() * 15_000);
    const networks = rng() < 0.2 ? given.networks : [pick(given.networks)];
    const id = await create('/compute/v2.1/servers', '/compute/v2.1/servers?name=', 'server', {
      name: `server-${at}-end`,
      imageRef: world.given.images[rng() < 0.5 ? 'vm' : 'container'],
      flavorRef: world.given.flavorId,
      networks: networks.map((uuid) => ({ uuid })),
      ...(rng() < 0.5 ? { security_groups: [{ name: pick(given.groups) }] } : {}),
    });
    if (id === null) return void wrong.push(`server-${at} was refused`);
    created.add(id);
    const fate = rng();
    // Some are deleted while they are still built.
    if (fate < 0.15) {
      await sleep(rng() * 1_500);
      return remove(id);
    }
    for (let polls = 0; polls < 20 && (await statusOf(id)) === 'BUILD'; polls += 1) await sleep(2_500);
    await sleep(rng() * 8_000);
    if (fate < 0.5) return remove(id);
    if (fate < 0.75) return;
    if (fate > 0.9) await changeInterfaces(id, given);
    else if (fate > 0.87) await rescue(id);
    touch(id);
    const action = fate < 0.83 ? { 'os-stop': null } : { reboot: { type: fate < 0.9 ? 'HARD' : 'SOFT' } };
    await ask('POST', `/compute/v2.1/servers/${id}/action`, action);
    if (fate > 0.95) await remove(id);
  }

  /** Networks, ports, groups and floating IPs that come and go beside the servers. */
  async function networkClient(at: number, given: Given): Promise<void> {
    await sleep(rng() * 10_000);
    const id = await createNamed('networks', 'network', { name: `brief-${at}` });
    if (id === null) return;
    await createNamed('subnets', 'subnet', {
      name: `brief-${at}`,
      network_id: id,
      cidr: '10.9.0.0/28',
      ip_version: 4,
    });
    const port = await createNamed('ports', 'port', {
      name: `brief-${at}`,
      network_id: id,
      security_groups: [pick(given.groups)],
    });
    // A server of its own: its host gets the network, and loses it again.
    const server = await create('/compute/v2.1/servers', '/compute/v2.1/servers?name=', 'server', {
      name: `brief-${at}-end`,
      imageRef: world.given.images.vm,
      flavorRef: world.given.flavorId,
      networks: [{ uuid: id }],
    });
    await sleep(rng() * 5_000);
    if (rng() < 0.5) await forwardTo(at, id);
    if (server !== null) await remove(server);
    if (port !== null && rng() < 0.7) await insist('DELETE', `${network}/ports/${port}`);
    if (rng() < 0.7) await insist('DELETE', `${network}/networks/${id}`);
  }

  /** Ports of an address that lead into the network, behind a router that stays or goes. */
  async function forwardTo(at: number, networkId: string): Promise<void> {
    const name = `brief-${at}-in`;
    const subnets = await insist('GET', `${network}/subnets?network_id=${networkId}`);
    const external = await insist('GET', `${network}/networks?router:external=true`);
    const outside = external.json.networks?.[0]?.id as string | undefined;
    const subnet = subnets.json.subnets?.[0]?.id as string | undefined;
    if (outside === undefined || subnet === undefined) return;
    const router = await createNamed('routers', 'router', {
      name,
      external_gateway_info: { network_id: outside },
    });
    if (router === null) return;
    await insist('PUT', `${network}/routers/${router}/add_router_interface`, { subnet_id: subnet });
    const port = await createNamed('ports', 'port', { name, network_id: networkId });
    const made = await ask('POST', `${network}/floatingips`, {
      floatingip: { floating_network_id: outside, description: name },
    });
    const address = made?.json.floatingip?.id as string | undefined;
    if (port !== null && address !== undefined)
      for (const [protocol, outer] of [
        ['tcp', 2_200],
        ['udp', 53],
      ] as const)
        await ask('POST', `${network}/floatingips/${address}/port_forwardings`, {
          port_forwarding: { protocol, external_port: outer, internal_port: 22, internal_port_id: port },
        });
    await sleep(rng() * 4_000);
    // With the port goes what leads to it, and then the address and the router are free.
    if (port !== null) await insist('DELETE', `${network}/ports/${port}`);
    if (rng() < 0.3) return;
    if (address !== undefined) await insist('DELETE', `${network}/floatingips/${address}`);
    await insist('PUT', `${network}/routers/${router}/remove_router_interface`, { subnet_id: subnet });
    await insist('DELETE', `${network}/routers/${router}`);
  }

  /** An operator's policy that a tenant puts on a network with servers; its limit changes while they come and go. */
  async function qosClient(at: number, given: Given): Promise<void> {
    await sleep(rng() * 10_000);
    const policies = `${network}/qos/policies`;
    const made = await world.call('admin', 'POST', policies, { policy: { name: `qos-${at}`, shared: true } });
    const policy = made?.json.policy?.id as string | undefined;
    if (policy === undefined) return;
    const rules = `${policies}/${policy}/bandwidth_limit_rules`;
    const limit = (max_kbps: number) => ({ bandwidth_limit_rule: { max_kbps } });
    const rule = (await world.call('admin', 'POST', rules, limit(10_000)))?.json.bandwidth_limit_rule?.id as
      | string
      | undefined;
    const held = `${network}/networks/${pick(given.networks)}`;
    await insist('PUT', held, { network: { qos_policy_id: policy } });
    await sleep(rng() * 5_000);
    const fate = rule === undefined ? 1 : rng();
    if (fate < 0.4) await world.call('admin', 'PUT', `${rules}/${rule}`, limit(5_000));
    else if (fate < 0.7) await world.call('admin', 'DELETE', `${rules}/${rule}`);
    await sleep(rng() * 3_000);
    if (rng() < 0.5) await insist('PUT', held, { network: { qos_policy_id: null } });
  }

  async function groupClient(at: number, given: Given): Promise<void> {
    await sleep(rng() * 10_000);
    const group = pick(given.groups);
    const rule = {
      security_group_id: group,
      direction: 'ingress',
      protocol: 'udp',
      port_range_min: 1000 + at,
      port_range_max: 1000 + at,
      remote_group_id: pick(given.groups),
    };
    const made = await ask('POST', `${network}/security-group-rules`, { security_group_rule: rule });
    await sleep(rng() * 6_000);
    if (made?.status === 201 && rng() < 0.7)
      await insist(
        'DELETE',
        `${network}/security-group-rules/${(made.json as { security_group_rule: { id: string } }).security_group_rule.id}`,
      );
  }

  /** A volume that a server of its own begins with; it is snapshot, detached and deleted, or left. */
  async function volumeClient(at: number, given: Given): Promise<void> {
    await sleep(rng() * 10_000);
    const volumes = `/volume/v3/${world.given.projectId}`;
    const volume = await create(`${volumes}/volumes`, `${volumes}/volumes?name=`, 'volume', {
      name: `vol-${at}`,
      size: 1,
    });
    if (volume === null) return;
    await sleep(rng() * 4_000);
    const server = await create('/compute/v2.1/servers', '/compute/v2.1/servers?name=', 'server', {
      name: `vol-${at}-end`,
      imageRef: world.given.images[at % 2 === 0 ? 'vm' : 'container'],
      flavorRef: world.given.flavorId,
      networks: [{ uuid: pick(given.networks) }],
      block_device_mapping_v2: disksWith(volume, rng),
    });
    await sleep(rng() * 6_000);
    if (rng() < 0.5)
      await ask('POST', `${volumes}/snapshots`, {
        snapshot: { volume_id: volume, name: `vol-${at}`, force: true },
      });
    const kept =
      rng() < 0.6
        ? await ask('POST', `${volumes}/backups`, {
            backup: { volume_id: volume, name: `vol-${at}`, force: true },
          })
        : null;
    const backup = kept?.status === 202 ? (kept.json as { backup: { id: string } }).backup.id : null;
    const attachment = `/compute/v2.1/servers/${server ?? ''}/os-volume_attachments`;
    // Some are off when their volume goes.
    if (server !== null && at % 3 === 0) {
      await ask('POST', `/compute/v2.1/servers/${server}/action`, { 'os-stop': null });
      await sleep(4_000);
    }
    if (server !== null && rng() < 0.6) await ask('DELETE', `${attachment}/${volume}`);
    await sleep(rng() * 3_000);
    if (server !== null && rng() < 0.4)
      await ask('POST', attachment, { volumeAttachment: { volumeId: volume } });
    if (server !== null && rng() < 0.6) await remove(server);
    await sleep(rng() * 3_000);
    if (backup !== null && rng() < 0.6)
      await ask('POST', `${volumes}/backups/${backup}/restore`, {
        restore: { name: `vol-${at}-again`, ...(rng() < 0.3 ? { volume_id: volume } : {}) },
      });
    if (rng() < 0.7) await ask('DELETE', `${volumes}/volumes/${volume}?cascade=true`);
    await sleep(rng() * 3_000);
    if (backup !== null && rng() < 0.5) await ask('DELETE', `${volumes}/backups/${backup}`);
  }

  /** A server that is resized, or shelved, and left at any point of that, or brought back. */
  async function lifeClient(at: number, given: Given): Promise<void> {
    await sleep(rng() * 12_000);
    const id = await create('/compute/v2.1/servers', '/compute/v2.1/servers?name=', 'server', {
      name: `life-${at}-end`,
      imageRef: world.given.images[rng() < 0.7 ? 'vm' : 'container'],
      flavorRef: world.given.flavorId,
      networks: [{ uuid: pick(given.networks) }],
    });
    if (id === null) return void wrong.push(`life-${at} was refused`);
    created.add(id);
    const until = async (...states: string[]): Promise<void> => {
      for (let polls = 0; polls < 20; polls += 1) {
        const now = await statusOf(id);
        if (now === null || states.includes(now)) return;
        await sleep(2_000);
      }
    };
    const act = (body: object) => ask('POST', `/compute/v2.1/servers/${id}/action`, body);
    await until('ACTIVE', 'ERROR');
    touch(id);
    if (rng() < 0.6) {
      await act({ resize: { flavorRef: world.given.largerFlavorId } });
      if (rng() < 0.15) return remove(id);
      await until('VERIFY_RESIZE', 'ACTIVE', 'ERROR');
      if (rng() < 0.2) return;
      await act(rng() < 0.5 ? { confirmResize: null } : { revertResize: null });
    } else {
      await act({ shelve: null });
      if (rng() < 0.15) return remove(id);
      await until('SHELVED_OFFLOADED', 'ACTIVE', 'ERROR');
      if (rng() < 0.2) return;
      await act({ unshelve: null });
    }
    if (rng() < 0.3) return remove(id);
    await until('ACTIVE', 'ERROR');
  }

  async function misfortunes(): Promise<void> {
    for (let at = 0; at < 4; at += 1) {
      await sleep(3_000 + rng() * 8_000);
      const host = pick(world.hosts);
      if (rng() < 0.3) {
        host.silent = true;
        await sleep(5_000 + rng() * 80_000);
        host.silent = false;
        continue;
      }
      const alive = [...incarnationsOf(host).keys()];
      if (alive.length === 0) continue;
      const id = pick(alive);
      touch(id);
      endGuest(host, id, rng() < 0.5 ? 'crashed' : 'stopped');
    }
  }

  return {
    wrong,
    witness: { created, deleted, running, refused: world.faults.refused },
    async run() {
      const given = await prepare();
      const clients = [
        ...Array.from({ length: options.servers }, (_, at) => serverClient(at, given)),
        ...Array.from({ length: 3 }, (_, at) => networkClient(at, given)),
        ...Array.from({ length: 3 }, (_, at) => groupClient(at, given)),
        ...Array.from({ length: 2 }, (_, at) => qosClient(at, given)),
        ...Array.from({ length: 4 }, (_, at) => volumeClient(at, given)),
        ...Array.from({ length: 6 }, (_, at) => lifeClient(at, given)),
        ...(options.misfortune === true ? [misfortunes()] : []),
      ];
      await Promise.all(clients);
      watchRunning();
    },
  };
}
