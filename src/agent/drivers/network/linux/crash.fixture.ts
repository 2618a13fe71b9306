// Builds and removes a small network over and over until it is killed: run as a program by crash.real.test.ts.
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { egressRules, networkBody, portBody, routerBody, ruleBody, subnetBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { createLinuxNetworkDriver } from './driver.ts';

export const crashProgram = fileURLToPath(import.meta.url);
export const createDriver = (cloudId: string, externalCidr: string): NetworkDriver =>
  createLinuxNetworkDriver({
    dataDir: '/nonexistent',
    cloudId,
    log: silentLog,
    clock: systemClock,
    externalCidr,
    guestUid: () => 65534,
  });

export async function build(driver: NetworkDriver, external: string): Promise<void> {
  await driver.ensureNetwork('network-1', networkBody());
  await driver.ensureNetwork(
    'external',
    networkBody({
      segment: 9,
      external: true,
      subnets: [
        subnetBody({
          id: 'external-subnet',
          cidr: `${external}.0/24`,
          gatewayIp: `${external}.1`,
          enableDhcp: false,
          dhcpIp: null,
          dhcpMac: null,
        }),
      ],
    }),
  );
  await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.11', '10.20.0.12'] });
  await driver.ensureSecurityGroup('group-1', {
    stateful: true,
    rules: [...egressRules, ruleBody('ping', { protocol: 1, remoteGroupId: 'group-1' })],
  });
  const gateway = {
    portId: 'router-gateway',
    networkId: 'external',
    mac: 'fa:16:3e:00:02:fe',
    addresses: [`${external}.10/24`],
    nexthop: `${external}.1`,
    snat: true,
  };
  await Promise.all([
    driver.ensurePort('port-1', portBody(1)),
    driver.ensurePort('port-2', portBody(2)),
    driver.ensurePort('port-3', portBody(3, { plug: 'tap', egressKbps: 1000 })),
    driver.ensureRouter(
      'router-1',
      routerBody({
        gateway,
        floatingIps: [{ id: 'f', floatingAddress: `${external}.50`, fixedAddress: '10.20.0.11' }],
      }),
    ),
  ]);
}

export async function clear(driver: NetworkDriver): Promise<void> {
  await Promise.all([
    ...['port-1', 'port-2', 'port-3'].map((id) => driver.removePort(id)),
    driver.removeRouter('router-1'),
  ]);
  await driver.removeSecurityGroup('group-1');
  await driver.removeAddressGroup('group-1');
  await Promise.all([driver.removeNetwork('network-1'), driver.removeNetwork('external')]);
}

if (process.argv[1] === crashProgram) {
  const [cloudId = '', external = ''] = process.argv.slice(2);
  const driver = createDriver(cloudId, `${external}.0/24`);
  await driver.start(() => null);
  process.stdout.write('started\n');
  for (;;) {
    await build(driver, external);
    await clear(driver);
  }
}
