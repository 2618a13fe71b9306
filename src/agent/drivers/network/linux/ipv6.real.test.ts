// IPv6 between guests: addresses and rules as for IPv4, and no forged source or neighbour advertisement.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PortBody } from '../../../../protocol/items.ts';
import { egressRules, networkBody, portBody, ruleBody, subnetBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { createDriver } from './crash.fixture.ts';
import { cloudNames } from './names.ts';
import { teardownLinuxNetwork } from './teardown.ts';

const exec = promisify(execFile);
const cloudId = `t${randomBytes(4).toString('hex')}`;
const names = cloudNames(cloudId);
const guest = (n: number): string => names.serverNs(`server-${n}`);
const inside = (n: number, ...command: string[]): Promise<string | null> =>
  exec('ip', ['netns', 'exec', guest(n), ...command], { timeout: 15_000 }).then(
    ({ stdout }) => stdout,
    () => null,
  );
const reaches = async (n: number, to: string, ...more: string[]): Promise<boolean> =>
  (await inside(n, 'ping', '-6', '-c', '1', '-W', '1', ...more, to)) !== null;
const dual = (n: number): PortBody =>
  portBody(n, {
    fixedIps: [...portBody(n).fixedIps, { subnetId: 'subnet-6', ipAddress: `2001:db8::1${n}` }],
  });

let driver: NetworkDriver;
beforeAll(async () => {
  driver = createDriver(cloudId, '198.19.250.0/24');
  await driver.start(() => null);
  await driver.ensureNetwork(
    'network-1',
    networkBody({
      subnets: [
        subnetBody(),
        subnetBody({
          id: 'subnet-6',
          ipVersion: 6,
          cidr: '2001:db8::/64',
          gatewayIp: '2001:db8::1',
          enableDhcp: false,
          dhcpIp: null,
          dhcpMac: null,
          dnsNameservers: [],
        }),
      ],
    }),
  );
  await driver.ensureAddressGroup('group-1', { addresses: ['2001:db8::11', '2001:db8::13'] });
  await driver.ensureSecurityGroup('group-1', { stateful: true, rules: egressRules });
  for (const n of [1, 2, 3]) await driver.ensurePort(`port-${n}`, dual(n));
}, 30_000);
afterAll(async () => {
  await driver.close();
  await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId });
}, 30_000);

test(
  'guests reach each other by a rule for the remote group, at their address and not at a forged one',
  { timeout: 30_000 },
  async () => {
    expect(await reaches(1, '2001:db8::12')).toBe(false);
    await driver.ensureSecurityGroup('group-1', {
      stateful: true,
      rules: [...egressRules, ruleBody('six', { ethertype: 'IPv6', protocol: 1, remoteGroupId: 'group-1' })],
    });
    expect(await reaches(1, '2001:db8::12')).toBe(true);
    expect(await reaches(2, '2001:db8::11')).toBe(false); // 2 is no member
    await inside(1, 'ip', 'addr', 'add', '2001:db8::13/64', 'dev', 'eth0', 'nodad');
    expect(await reaches(1, '2001:db8::12', '-I', '2001:db8::13')).toBe(false);
    await inside(1, 'ip', 'addr', 'del', '2001:db8::13/64', 'dev', 'eth0');
  },
);

test('a guest that claims another’s address is not believed', { timeout: 30_000 }, async () => {
  await driver.ensureSecurityGroup('group-1', {
    stateful: true,
    rules: [...egressRules, ruleBody('six', { ethertype: 'IPv6' })],
  });
  expect(await reaches(3, '2001:db8::12')).toBe(true);
  await inside(2, 'ip', 'link', 'set', 'eth0', 'down');
  await inside(1, 'ip', 'addr', 'add', '2001:db8::12/64', 'dev', 'eth0', 'nodad');
  await inside(3, 'ip', '-6', 'neigh', 'flush', 'all');
  expect(await reaches(3, '2001:db8::12')).toBe(false);
  expect(await inside(3, 'ip', '-6', 'neigh', 'show', '2001:db8::12')).not.toContain('lladdr');
  // The same without the filter: the forged claim would have been heard.
  await driver.ensurePort('port-1', { ...dual(1), portSecurity: false });
  await inside(1, 'ip', 'addr', 'add', '2001:db8::12/64', 'dev', 'eth0', 'nodad');
  await inside(3, 'ip', '-6', 'neigh', 'flush', 'all');
  expect(await reaches(3, '2001:db8::12')).toBe(true);
});
