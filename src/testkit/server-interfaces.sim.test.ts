// Interfaces that come and go under a running server, through the API and down to what the guest has: the ports, their
// addresses and their quota follow, whoever takes a port away.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestCloud, type TestCloud } from './routes/cloud.ts';
import { createFurnishedTenant, type Tenant } from './routes/fixtures.ts';

let cloud: TestCloud;
let own: Tenant;
let serverId = '';
beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
  own = await createFurnishedTenant(cloud, 'quokka');
  serverId = own.ids['server'] ?? '';
  await cloud.settle();
});
afterAll(() => cloud.close());

type Interface = {
  port_id: string;
  net_id: string;
  port_state: string;
  fixed_ips: { ip_address: string }[];
  tag: string;
};
const path = (tail = ''): string => `/compute/v2.1/servers/${serverId}/os-interface${tail}`;
const attach = (body: object) => cloud.call(own.tokens.member, 'POST', path(), { interfaceAttachment: body });
const attached = async (body: object): Promise<Interface> => (await attach(body)).json.interfaceAttachment;
const interfaces = async (): Promise<Interface[]> =>
  (await cloud.must(own.tokens.member, 'GET', path())).interfaceAttachments;
const guestHas = (): string[] => [...(cloud.host.guests.guests.get(serverId)?.nics ?? [])].sort();
const portsUsed = async (): Promise<number> =>
  (await cloud.must(own.tokens.member, 'GET', `/network/v2.0/quotas/${own.projectId}/details`)).quota.port
    .used;
/** The newest entry of the server's history, with its events. */
const lastAction = async (): Promise<object> => {
  const history = `/compute/v2.1/servers/${serverId}/os-instance-actions`;
  const { instanceActions } = await cloud.must(cloud.admin, 'GET', history);
  return (await cloud.must(cloud.admin, 'GET', `${history}/${instanceActions[0].request_id}`)).instanceAction;
};
const settledIds = async (): Promise<string[]> => {
  await cloud.settle();
  return (await interfaces()).map((one) => one.port_id).sort();
};

it('an interface made for the server goes with its detach, with address and quota; the guest follows', async () => {
  const before = [await settledIds(), await portsUsed()];
  const made = await attached({
    net_id: own.ids['network'],
    fixed_ips: [{ ip_address: '10.90.0.77' }],
    tag: 'back',
  });
  expect(made).toMatchObject({
    net_id: own.ids['network'],
    fixed_ips: [{ ip_address: '10.90.0.77' }],
    tag: 'back',
  });
  expect(await settledIds()).toContain(made.port_id);
  expect(guestHas()).toEqual(await settledIds());
  expect((await interfaces()).map((one) => one.port_state)).toEqual(['ACTIVE', 'ACTIVE']);
  await cloud.must(own.tokens.member, 'DELETE', path(`/${made.port_id}`));
  expect([await settledIds(), await portsUsed()]).toEqual(before);
  expect(await lastAction()).toMatchObject({
    action: 'detach_interface',
    events: [{ event: 'compute_detach_interface', result: 'Success' }],
  });
  expect(guestHas()).toEqual(before[0]);
  expect((await cloud.call(own.tokens.member, 'GET', `/network/v2.0/ports/${made.port_id}`)).status).toBe(
    404,
  );
});

it("a port of the user's own is kept by a detach, and a port deleted by its owner leaves the guest", async () => {
  const port = async (): Promise<string> =>
    (
      await cloud.must(own.tokens.member, 'POST', '/network/v2.0/ports', {
        port: { network_id: own.ids['network'] },
      })
    ).port.id;
  const [kept, deleted] = [await port(), await port()];
  for (const id of [kept, deleted]) expect((await attached({ port_id: id })).port_id).toBe(id);
  expect(await settledIds()).toEqual(expect.arrayContaining([kept, deleted]));
  expect(guestHas()).toEqual(await settledIds());
  expect((await attach({ port_id: kept })).status).toBe(400);
  await cloud.must(own.tokens.member, 'DELETE', path(`/${kept}`));
  await cloud.must(own.tokens.member, 'DELETE', `/network/v2.0/ports/${deleted}`);
  expect(await settledIds()).not.toEqual(expect.arrayContaining([kept]));
  expect(guestHas()).toEqual(await settledIds());
  expect((await cloud.must(own.tokens.member, 'GET', `/network/v2.0/ports/${kept}`)).port).toMatchObject({
    device_id: '',
    device_owner: '',
  });
});

it('a detach while the server is off is done at once; one that is asked twice is one', async () => {
  const { port_id: portId } = await attached({ net_id: own.ids['network'] });
  await cloud.settle();
  await cloud.must(own.tokens.member, 'POST', `/compute/v2.1/servers/${serverId}/action`, {
    'os-stop': null,
  });
  await cloud.settle();
  await Promise.all([1, 2].map(() => cloud.call(own.tokens.member, 'DELETE', path(`/${portId}`))));
  expect(await settledIds()).not.toContain(portId);
  await cloud.must(own.tokens.member, 'POST', `/compute/v2.1/servers/${serverId}/action`, {
    'os-start': null,
  });
  await cloud.settle();
  expect(guestHas()).toEqual(await settledIds());
});

it('what does not fit is refused with the reason and changes nothing', async () => {
  const before = [await settledIds(), await portsUsed()];
  const refusals: [object, number, RegExp][] = [
    [{ net_id: own.ids['network'], port_id: own.ids['port'] }, 400, /both/],
    [{ fixed_ips: [{ ip_address: '10.90.0.9' }] }, 400, /net_id/],
    [{ net_id: own.ids['network'], fixed_ips: [{ ip_address: '192.0.2.1' }] }, 400, /192\.0\.2\.1/],
    [{ port_id: 'ffffffff-0000-4000-8000-000000000000' }, 404, /could not be found/],
    [{ port_id: own.ids['port'] }, 400, /in use/],
    [{ tag: 'alone' }, 400, /tag/],
  ];
  for (const [body, status, message] of refusals) {
    const answer = await attach(body);
    expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(message)]);
  }
  expect(
    (await cloud.call(own.tokens.member, 'DELETE', path('/ffffffff-0000-4000-8000-000000000000'))).status,
  ).toBe(404);
  await cloud.must(own.tokens.member, 'POST', `/compute/v2.1/servers/${serverId}/action`, { suspend: null });
  await cloud.settle();
  expect((await attach({ net_id: own.ids['network'] })).status).toBe(409);
  await cloud.must(own.tokens.member, 'POST', `/compute/v2.1/servers/${serverId}/action`, { resume: null });
  expect([await settledIds(), await portsUsed()]).toEqual(before);
});

it('until 2.43 addresses are added to a server and taken away by its own actions', async () => {
  const old = { 'x-openstack-nova-api-version': '2.43', 'openstack-api-version': 'compute 2.43' };
  const act = (body: object) =>
    cloud.call(own.tokens.member, 'POST', `/compute/v2.1/servers/${serverId}/action`, body, old);
  const addresses = async (): Promise<string[]> => {
    await cloud.settle();
    return (await interfaces()).flatMap((one) => one.fixed_ips.map((ip) => ip.ip_address));
  };
  const before = await addresses();
  expect((await act({ addFixedIp: { networkId: own.ids['network'] } })).status).toBe(202);
  const added = (await addresses()).filter((ip) => !before.includes(ip));
  expect(added).toHaveLength(1);
  expect((await act({ removeFixedIp: { address: added[0] } })).status).toBe(202);
  expect(await addresses()).toEqual(before);
  expect((await act({ removeFixedIp: { address: '192.0.2.9' } })).status).toBe(400);
});
