// What a simulated cloud has to do besides surviving crashes: be replayable, keep failures apart, come back after
// a reboot by itself, and neither over-allocate nor overdraw.
import { afterEach, expect, test } from 'vitest';
import { RESERVED_MEMORY_MIB } from '../control/placement/inventory.ts';
import { DriverError } from '../agent/drivers/errors.ts';
import type { Answer } from './http.ts';
import { brokenInvariants, type Witness } from './invariants.ts';
import { createScenario } from './scenario.ts';
import { incarnationsOf, rebootSimHost } from './sim-host.ts';
import { world, type World, type WorldOptions } from './world.ts';

const SEED = Number(process.env['STRATA_SEED'] ?? 1);
const unlimited = { instances: -1, cores: -1, ram: -1, port: -1 };
const nothing: Witness = { created: new Set(), deleted: new Set(), running: new Map() };

const open: World[] = [];
const cloudOf = async (options: Omit<WorldOptions, 'seed'> & { seed?: number }): Promise<World> => {
  const cloud = await world({ seed: SEED, ...options });
  open.push(cloud);
  return cloud;
};
afterEach(async () => {
  for (const cloud of open.splice(0)) await cloud.close();
});

async function ask(cloud: World, method: string, url: string, body?: unknown): Promise<Answer> {
  const answer = await cloud.during(cloud.call('demo', method, url, body));
  if (answer === null) throw new Error('the process died');
  return answer;
}

async function networkOf(cloud: World, cidr = '10.0.0.0/16'): Promise<string> {
  const made = await ask(cloud, 'POST', '/network/v2.0/networks', { network: { name: 'net' } });
  const { id } = (made.json as { network: { id: string } }).network;
  const subnet = await ask(cloud, 'POST', '/network/v2.0/subnets', {
    subnet: { network_id: id, cidr, ip_version: 4 },
  });
  expect([made.status, subnet.status]).toEqual([201, 201]);
  return id;
}

const serverBody = (cloud: World, name: string, networkId: string, more: object = {}): object => ({
  server: {
    name,
    imageRef: cloud.given.images.vm,
    flavorRef: cloud.given.flavorId,
    networks: [{ uuid: networkId }],
    ...more,
  },
});
const create = (cloud: World, name: string, networkId: string, more: object = {}): Promise<Answer | null> =>
  cloud.call('demo', 'POST', '/compute/v2.1/servers', serverBody(cloud, name, networkId, more));
function idOf(answer: Answer | null | undefined): string {
  if (answer?.status !== 202) throw new Error(`the server was not accepted: ${answer?.text}`);
  return (answer.json as { server: { id: string } }).server.id;
}
const many = (cloud: World, count: number, networkId: string): Promise<(Answer | null)[]> =>
  cloud.during(
    Promise.all(Array.from({ length: count }, (_, at) => create(cloud, `server-${at}`, networkId))),
  );
const servers = (cloud: World) => cloud.read().selectFrom('servers').selectAll().execute();

test('the same seed gives the same history twice, crashes and faults included', async () => {
  const history = async (seed: number): Promise<string[]> => {
    const cloud = await cloudOf({
      seed,
      quotas: unlimited,
      faults: { driver: 0.04, slow: 0.1, link: 0.04, repeated: 0.05, deaf: 0.1, yields: 0.02 },
    });
    const scenario = createScenario(cloud, { servers: 20, misfortune: true });
    cloud.crashAt(700, 1500);
    await cloud.during(scenario.run());
    cloud.faults.end();
    for (const host of cloud.hosts) host.silent = false;
    await cloud.settle();
    return [...cloud.trace];
  };
  const first = await history(SEED);
  expect(first.filter((line) => line.endsWith('CRASH'))).toHaveLength(2);
  expect(await history(SEED)).toEqual(first);
  expect(await history(SEED + 1)).not.toEqual(first);
});

test('of 200 servers asked for at once with a quota of 50 instances exactly 50 are accepted', async () => {
  const cloud = await cloudOf({ quotas: { ...unlimited, instances: 50 } });
  const network = await networkOf(cloud);
  const answers = await many(cloud, 200, network);
  expect(answers.filter((answer) => answer?.status === 202)).toHaveLength(50);
  expect(answers.filter((answer) => answer?.status === 403)).toHaveLength(150);
  await cloud.settle();
  expect((await servers(cloud)).filter((row) => row.status === 'ACTIVE')).toHaveLength(50);
  expect(await brokenInvariants(cloud, nothing)).toEqual([]);
});

test('one item that its host refuses stops no other item of that host', async () => {
  const cloud = await cloudOf({ hosts: 1, quotas: unlimited });
  const network = await networkOf(cloud);
  const [host] = cloud.hosts;
  if (host === undefined) throw new Error('there is no host');
  const badGroup = await ask(cloud, 'POST', '/network/v2.0/security-groups', {
    security_group: { name: 'bad' },
  });
  const groupId = (badGroup.json as { security_group: { id: string } }).security_group.id;
  host.network.fail = (verb, id) =>
    verb === 'ensureSecurityGroup' && id === groupId
      ? new DriverError('failed', 'This group fails in the simulation.')
      : null;
  host.guests.fail = (step, id) =>
    step === 'start' && host.guests.guests.get(id)?.spec.body.name === 'refused'
      ? new DriverError('refused', 'This guest is refused in the simulation.')
      : null;
  await cloud.during(
    Promise.all([
      create(cloud, 'refused', network),
      create(cloud, 'behind-the-bad-group', network, { security_groups: [{ name: 'bad' }] }),
      ...Array.from({ length: 10 }, (_, at) => create(cloud, `good-${at}`, network)),
    ]),
  );
  await cloud.advance(120_000);
  const states = new Map((await servers(cloud)).map((row) => [row.name, row]));
  for (let at = 0; at < 10; at += 1) expect(states.get(`good-${at}`)?.status).toBe('ACTIVE');
  expect(states.get('refused')).toMatchObject({
    status: 'ERROR',
    error: 'This guest is refused in the simulation.',
  });
  expect(states.get('behind-the-bad-group')?.status).not.toBe('ACTIVE');
  // Healed from outside, the rest follows by itself.
  delete host.network.fail;
  await cloud.settle();
  expect((await servers(cloud)).find((row) => row.name === 'behind-the-bad-group')?.status).toBe('ACTIVE');
});

test('a host that reboots while control is away brings its guests and networks back from its disk', async () => {
  const cloud = await cloudOf({ quotas: unlimited });
  const network = await networkOf(cloud);
  const answers = await many(cloud, 12, network);
  await cloud.settle();
  const stopped = idOf(answers[0]);
  await ask(cloud, 'POST', `/compute/v2.1/servers/${stopped}/action`, { 'os-stop': null });
  await cloud.settle();
  const before = cloud.hosts.map((host) => ({
    running: [...incarnationsOf(host).keys()].sort(),
    ports: [...host.network.ports.keys()].sort(),
    networks: host.network.networks.size,
  }));
  expect(before.flatMap((one) => one.running)).toHaveLength(11);

  cloud.crash();
  const [first, ...others] = cloud.hosts;
  if (first === undefined) throw new Error('there is no host');
  const undisturbed = others.map(incarnationsOf);
  rebootSimHost(first);
  expect(incarnationsOf(first).size + first.network.networks.size).toBe(0);
  await cloud.startAgent(first);
  await cloud.advance(60_000);
  expect({
    running: [...incarnationsOf(first).keys()].sort(),
    ports: [...first.network.ports.keys()].sort(),
    networks: first.network.networks.size,
  }).toEqual(before[0]);
  expect(others.map(incarnationsOf)).toEqual(undisturbed);

  cloud.crash();
  await cloud.restart();
  await cloud.settle();
  expect(others.map(incarnationsOf)).toEqual(undisturbed);
  expect(await brokenInvariants(cloud, nothing)).toEqual([]);
});

test('50 creates at once on nearly full hosts are spread, never over-allocate, and say host by host why the rest found none', async () => {
  // Each host has room for 10 servers of 512 MiB.
  const cloud = await cloudOf({
    quotas: unlimited,
    hostSize: { vcpus: 16, memoryMib: 10 * 512 + RESERVED_MEMORY_MIB, diskGib: 500 },
  });
  const network = await networkOf(cloud);
  await many(cloud, 6, network);
  await cloud.settle();
  expect(cloud.hosts.map((host) => host.guests.guests.size)).toEqual([2, 2, 2]);

  const answers = await many(cloud, 50, network);
  expect(answers.filter((answer) => answer?.status === 202)).toHaveLength(50);
  await cloud.settle();
  const rows = await servers(cloud);
  expect(cloud.hosts.map((host) => host.guests.guests.size)).toEqual([10, 10, 10]);
  const unplaced = rows.filter((row) => row.host_id === null);
  expect(unplaced).toHaveLength(26);
  for (const row of unplaced) {
    expect(row.status).toBe('ERROR');
    for (const host of cloud.hosts)
      expect(row.error).toContain(`${host.hostname}: memory 512 MiB requested, 0 of 5120 MiB free`);
  }
  expect(await brokenInvariants(cloud, nothing)).toEqual([]);
});

test('a host that comes back after a long silence gets what was decided meanwhile', async () => {
  const cloud = await cloudOf({ quotas: unlimited });
  const network = await networkOf(cloud);
  const answers = await many(cloud, 9, network);
  await cloud.settle();
  const [host] = cloud.hosts;
  if (host === undefined) throw new Error('there is no host');
  host.silent = true;
  await cloud.advance(90_000);
  const gone = [...host.guests.guests.keys()];
  for (const id of gone) expect((await ask(cloud, 'DELETE', `/compute/v2.1/servers/${id}`)).status).toBe(204);
  const more = await many(cloud, 4, network);
  await cloud.advance(30_000);
  // Nobody is sent to a host that is down, and its guests run on.
  expect((await servers(cloud)).filter((row) => row.host_name === host.hostname)).toEqual([]);
  expect(incarnationsOf(host).size).toBe(gone.length);
  host.silent = false;
  await cloud.settle();
  await cloud.advance(65_000);
  const created = new Set([...answers, ...more].map(idOf).filter((id) => !gone.includes(id)));
  expect(await brokenInvariants(cloud, { created, deleted: new Set(gone), running: new Map() })).toEqual([]);
});
