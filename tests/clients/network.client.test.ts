// Network depth by Debian's unpatched `openstack` command, with a real VM and a real container: IPv6 through a
// router, two services behind one address, and QoS.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/kernel/run.ts';
import { eventually, startCloud, type Cloud } from '../cloud.ts';

let cloud: Cloud;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'strata-client-'));
  cloud = await startCloud();
}, 300_000);
afterAll(async () => {
  await cloud?.teardown();
  rmSync(dir, { recursive: true, force: true });
}, 180_000);

async function openstack(as: 'strata' | 'demo', command: string): Promise<string> {
  const { stdout } = await run(['openstack', ...command.split(' ')], {
    env: { ...process.env, OS_CLIENT_CONFIG_FILE: join(cloud.dataDir, 'clouds.yaml'), OS_CLOUD: as },
    timeoutMs: 180_000,
  });
  return stdout;
}
const demo = (command: string): Promise<string> => openstack('demo', command);
// eslint-disable-next-line typescript/no-explicit-any
const json = async (as: 'strata' | 'demo', command: string): Promise<any> =>
  JSON.parse(await openstack(as, `${command} -f json`));

async function fetches(url: string): Promise<string | null> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text();
  } catch {
    return null;
  }
}

describe('the openstack command on networks', { timeout: 400_000 }, () => {
  it('joins two dual-stack networks by a router, and a VM that configured itself reaches a container over IPv6', async () => {
    await demo('router create core');
    const external = (await json('demo', 'network list --external'))[0].ID as string;
    await demo(`router set --external-gateway ${external} core`);
    for (const [name, mode, n] of [
      ['front', 'slaac', 1],
      ['back', 'dhcpv6-stateful', 2],
    ] as const) {
      await demo(`network create ${name}`);
      await demo(`subnet create --network ${name} --subnet-range 10.6${n}.0.0/24 ${name}-4`);
      const six = await json(
        'demo',
        `subnet create --network ${name} --ip-version 6 --subnet-range fd00:${n}::/64 --ipv6-ra-mode ${mode} --ipv6-address-mode ${mode} --dns-nameserver fd00:53::1 ${name}-6`,
      );
      expect(six).toMatchObject({ ipv6_ra_mode: mode, ipv6_address_mode: mode, gateway_ip: `fd00:${n}::1` });
      for (const version of [4, 6]) await demo(`router add subnet core ${name}-${version}`);
    }
    await demo('security group create open');
    for (const rule of ['--protocol icmp', '--ethertype IPv6 --protocol ipv6-icmp', '--protocol tcp'])
      await demo(`security group rule create ${rule} open`);
    await demo(
      'server create --wait --image tiny-container --flavor m1.tiny --network back --security-group open inner',
    );
    const inner = await json('demo', 'port list --server inner');
    const target = inner[0]['Fixed IP Addresses'].find((one: { ip_address: string }) =>
      one.ip_address.includes(':'),
    ).ip_address as string;
    const script = join(dir, 'user-data');
    writeFileSync(
      script,
      `#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do ping -6 -c 1 -W 1 ${target} >/dev/null && break; sleep 1; done\nip -6 addr show dev eth0 scope global | sed 's/^/SIX /'\nping -6 -c 1 -W 2 ${target} >/dev/null && echo "SIX reaches the container"\n`,
    );
    await demo(
      `server create --wait --image tiny --flavor m1.tiny --network front --security-group open --user-data ${script} outer`,
    );
    const held = (await json('demo', 'port list --server outer'))[0]['Fixed IP Addresses'].find(
      (one: { ip_address: string }) => one.ip_address.includes(':'),
    ).ip_address as string;
    const log = await eventually('IPv6 in the VM', 120, async () => {
      const text = await demo('console log show outer');
      return text.includes('SIX reaches') ? text : null;
    });
    expect(log).toContain(`inet6 ${held}/64`);
  });

  it('forwards ports of one floating IP to both servers, and what is deleted leads nowhere', async () => {
    const external = (await json('demo', 'network list --external'))[0].ID as string;
    const address = (await json('demo', `floating ip create ${external}`)).floating_ip_address as string;
    const forward = 'floating ip port forwarding';
    const silent = (port: number): Promise<string> =>
      eventually(`silence on port ${port}`, 20, async () =>
        (await fetches(`http://${address}:${port}/`)) === null ? 'silent' : null,
      );
    const ids: string[] = [];
    for (const [server, port] of [
      ['outer', 8_001],
      ['inner', 8_002],
    ] as const) {
      const own = (await json('demo', `port list --server ${server}`))[0];
      const ip = own['Fixed IP Addresses'].find((one: { ip_address: string }) =>
        one.ip_address.includes('.'),
      );
      const made = await json(
        'demo',
        `${forward} create --internal-ip-address ${ip.ip_address} --port ${own.ID} --internal-protocol-port 80 --external-protocol-port ${port} --protocol tcp --description ${server} ${address}`,
      );
      ids.push(made.id as string);
    }
    const rows = await json('demo', `${forward} list ${address}`);
    expect(rows.map((row: Record<string, unknown>) => row['External Port']).sort()).toEqual([8_001, 8_002]);
    const pages = [];
    for (const port of [8_001, 8_002])
      pages.push(
        await eventually(`port ${port} of ${address}`, 60, () => fetches(`http://${address}:${port}/`)),
      );
    expect(new Set(pages).size).toBe(2);
    await demo(`${forward} set --external-protocol-port 8003 ${address} ${ids[0]}`);
    expect(await eventually('the moved port', 20, () => fetches(`http://${address}:8003/`))).toBe(pages[0]);
    await silent(8_001);
    expect(await json('demo', `${forward} show ${address} ${ids[0]}`)).toMatchObject({
      external_port: 8_003,
    });
    await expect(demo(`floating ip delete ${address}`)).rejects.toThrow();
    await demo(`${forward} delete ${address} ${ids.join(' ')}`);
    await silent(8_002);
    await demo(`floating ip delete ${address}`);
  });

  it('limits a network by a shared QoS policy, on the running servers, and keeps a policy that is used', async () => {
    const policy = 'network qos policy';
    await openstack('strata', `${policy} create --share slow`);
    await openstack('strata', 'network qos rule create --type bandwidth-limit --max-kbps 5000 --egress slow');
    await openstack('strata', 'network qos rule create --type dscp-marking --dscp-mark 26 slow');
    const rules = await json('demo', 'network qos rule list slow');
    expect(rules.map((row: Record<string, unknown>) => row['Type']).sort()).toEqual([
      'bandwidth_limit',
      'dscp_marking',
    ]);
    const types = await json('demo', 'network qos rule type list');
    expect(types.map((row: Record<string, unknown>) => row['Type']).sort()).toEqual([
      'bandwidth_limit',
      'dscp_marking',
    ]);
    await demo('network set --qos-policy slow back');
    const { cloudId } = JSON.parse(readFileSync(join(cloud.dataDir, 'cloud.json'), 'utf8')) as {
      cloudId: string;
    };
    const shaped = async (): Promise<string | null> => {
      const { stdout } = await run(['ip', 'netns', 'exec', `strata-${cloudId}`, 'tc', 'qdisc', 'show']);
      return stdout.includes('tbf') ? stdout : null;
    };
    expect(await eventually('the limit in the kernel', 20, shaped)).toContain('rate 5Mbit');
    await expect(openstack('strata', `${policy} delete slow`)).rejects.toThrow();
    await demo('network unset --qos-policy back').catch(() => demo('network set --no-qos-policy back'));
    await eventually('the end of the limit', 20, async () => ((await shaped()) === null ? 'gone' : null));
    await openstack('strata', `${policy} delete slow`);
  });
});
