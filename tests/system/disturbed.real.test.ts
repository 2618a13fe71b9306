// What is disturbed from outside is reported on the resource and healed where that is possible: a killed guest, a
// killed dnsmasq, a program that is missing, a disk that is full.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../../src/cli/api-client.ts';
import { run } from '../../src/kernel/run.ts';
import { eventually, startCloud, traces, type Cloud } from '../cloud.ts';

type Server = { id: string; name: string; status: string; fault?: { message: string } };

let cloud: Cloud;
let api: ApiClient;
let networkId: string;

beforeAll(async () => {
  cloud = await startCloud();
  api = await cloud.as('demo');
  networkId = (
    await api.call<{ network: { id: string } }>('POST', '/network/v2.0/networks', { network: { name: 'n' } })
  ).network.id;
  await api.call('POST', '/network/v2.0/subnets', {
    subnet: { network_id: networkId, ip_version: 4, cidr: '10.6.0.0/24' },
  });
}, 120_000);
afterAll(async () => {
  await cloud?.teardown();
}, 120_000);

async function boot(name: string, image: string): Promise<Server> {
  const images = (
    await api.call<{ images: { id: string; name: string }[] }>('GET', `/image/v2/images?name=${image}`)
  ).images;
  const flavors = (
    await api.call<{ flavors: { id: string; name: string }[] }>('GET', '/compute/v2.1/flavors')
  ).flavors;
  const { server } = await api.call<{ server: Server }>('POST', '/compute/v2.1/servers', {
    server: {
      name,
      imageRef: images[0]?.id,
      flavorRef: flavors.find((flavor) => flavor.name === 'm1.nano')?.id,
      networks: [{ uuid: networkId }],
    },
  });
  return server;
}
const show = async (id: string): Promise<Server> =>
  (await api.call<{ server: Server }>('GET', `/compute/v2.1/servers/${id}`)).server;
const active = (id: string) =>
  eventually(`server ${id} ACTIVE`, 60, async () => (await show(id)).status === 'ACTIVE');

async function pidsOf(pattern: RegExp, id = ''): Promise<number[]> {
  const lines = await traces(cloud.cloudId, cloud.dataDir);
  return lines.flatMap((line) => {
    const match = /^process (\d+): (.*)$/.exec(line);
    return match?.[1] !== undefined && pattern.test(match[2] ?? '') && (match[2] ?? '').includes(id)
      ? [Number(match[1])]
      : [];
  });
}

describe('disturbed from outside', () => {
  it('a killed QEMU is started again, and the server is ACTIVE', async () => {
    const { id } = await boot('vm', 'tiny');
    await active(id);
    const [before] = await pidsOf(/qemu-system/, id);
    process.kill(before ?? 0, 'SIGKILL');
    const after = await eventually(
      'a new QEMU',
      60,
      async () => (await pidsOf(/qemu-system/, id)).find((pid) => pid !== before) ?? null,
    );
    expect(after).not.toBe(before);
    await active(id);
    await api.call('DELETE', `/compute/v2.1/servers/${id}`);
  });

  it('a killed dnsmasq is started again', async () => {
    const { id } = await boot('box', 'tiny-container');
    await active(id);
    const [before] = await eventually('dnsmasq', 20, async () => {
      const pids = await pidsOf(/dnsmasq/);
      return pids.length > 0 ? pids : null;
    });
    process.kill(before ?? 0, 'SIGKILL');
    await eventually('a new dnsmasq', 60, async () =>
      (await pidsOf(/dnsmasq/)).some((pid) => pid !== before),
    );
    await api.call('DELETE', `/compute/v2.1/servers/${id}`);
  });

  it('a full disk is a fault of the server that names the rule, and others go on', async () => {
    const mount = `${cloud.dataDir}/guests`;
    await run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount]);
    try {
      const { id } = await boot('full', 'tiny');
      const failed = await eventually('the fault', 60, async () => {
        const server = await show(id);
        return server.status === 'ERROR' ? server : null;
      });
      expect(failed.fault?.message).toMatch(/disk|space/i);
      const { id: other } = await boot('other', 'tiny-container');
      await active(other);
      await run(['mount', '-o', 'remount,size=256m', mount]);
      await active(id);
      for (const one of [id, other]) await api.call('DELETE', `/compute/v2.1/servers/${one}`);
      await eventually(
        'both gone',
        60,
        async () =>
          (await api.call<{ servers: Server[] }>('GET', '/compute/v2.1/servers')).servers.length === 0,
      );
    } finally {
      await run(['umount', '-l', mount]);
    }
  });
});
