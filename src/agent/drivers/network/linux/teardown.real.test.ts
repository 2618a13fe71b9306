// The contract of network drivers on the real kernel, and what teardown leaves: nothing.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { egressRules, networkBody, networkDriverConformance, portBody, routerBody } from '../conformance.ts';
import type { NetworkDriver } from '../driver.ts';
import { createLinuxNetworkDriver } from './driver.ts';
import { teardownLinuxNetwork } from './teardown.ts';

const exec = promisify(execFile);
const newCloudId = (): string => `t${randomBytes(4).toString('hex')}`;
/** 198.18.0.0/15 is for tests between networks (RFC 2544); each cloud of a run takes its own piece. */
const newExternal = (): string =>
  `198.${18 + (randomBytes(1).readUInt8() % 2)}.${randomBytes(1).readUInt8()}`;
const options = (id: string, prefix: string): Parameters<typeof createLinuxNetworkDriver>[0] => ({
  dataDir: '/nonexistent',
  cloudId: id,
  log: silentLog,
  clock: systemClock,
  externalCidr: `${prefix}.0/24`,
  guestUid: () => 65534,
});

networkDriverConformance('the Linux network driver', async () => {
  const id = newCloudId();
  const prefix = newExternal();
  let current: NetworkDriver | null = null;
  return {
    driver: () => {
      void current?.close(); // what the death of its process does
      return (current = createLinuxNetworkDriver(options(id, prefix)));
    },
    dispose: async () => void (await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId: id })),
  };
});

describe('teardown', { timeout: 30_000 }, () => {
  test('it leaves nothing of its cloud, says what it removed, and does not touch the cloud beside it', async () => {
    const [one, two] = [newCloudId(), newCloudId()];
    const drivers = [
      createLinuxNetworkDriver(options(one, newExternal())),
      createLinuxNetworkDriver(options(two, newExternal())),
    ];
    try {
      for (const driver of drivers) {
        await driver.start(() => null);
        await driver.ensureNetwork('network-1', networkBody());
        await driver.ensureSecurityGroup('group-1', { stateful: true, rules: egressRules });
        await driver.ensurePort('port-1', portBody(1));
        await driver.ensurePort('port-2', portBody(2, { plug: 'tap' }));
        await driver.ensureRouter('router-1', routerBody());
        await driver.close();
      }
      const traces = async (id: string): Promise<string[]> => {
        const [links, tables, processes] = await Promise.all([
          exec('ip', ['-br', 'link']),
          exec('nft', ['list', 'tables']),
          exec('ps', ['-eo', 'args']),
        ]);
        const lines = [links, tables, processes].flatMap(({ stdout }) => stdout.split('\n'));
        const files = [
          ...(await readdir('/run/netns')),
          ...(await readdir('/etc/netns').catch(() => [])),
          ...(await readdir('/run')),
        ];
        return [...lines, ...files].filter((line) => line.includes(id)).sort();
      };
      const neighbour = await traces(two);
      expect(await traces(one)).toHaveLength(neighbour.length);
      const removed = await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId: one });
      expect(removed.join('\n')).toMatch(/process \d+ \(dnsmasq\)/);
      expect(await traces(one)).toEqual([]);
      expect(await traces(two)).toEqual(neighbour);
      expect(await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId: one })).toEqual([]);
    } finally {
      for (const id of [one, two]) await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId: id });
    }
  });
});
