// The network-driver contract, held by the simulation, and what the simulation adds: faults.
import { expect, test } from 'vitest';
import { DriverError } from '../../errors.ts';
import { networkBody, networkDriverConformance } from '../conformance.ts';
import { createSimNetworkDriver, createSimNetworkHost, disturb } from './driver.ts';

networkDriverConformance('the simulated network driver', async () => {
  const host = createSimNetworkHost();
  return { driver: () => createSimNetworkDriver(host), dispose: async () => {} };
});

test('a verb that is told to fail changes nothing', async () => {
  const host = createSimNetworkHost();
  host.fail = (verb, id) =>
    verb === 'ensureNetwork' && id === 'network-1'
      ? new DriverError('no-space', 'Network network-1: no space.')
      : null;
  const driver = createSimNetworkDriver(host);
  await expect(driver.ensureNetwork('network-1', networkBody())).rejects.toMatchObject({ code: 'no-space' });
  await driver.ensureNetwork('network-2', networkBody());
  expect((await driver.observe()).networks).toEqual(['network-2']);
});

test('a driver that was closed is not called back any more', async () => {
  const host = createSimNetworkHost();
  const driver = createSimNetworkDriver(host);
  const seen: string[] = [];
  driver.watch((kind, id) => seen.push(`${kind} ${id}`));
  disturb(host, 'network', 'network-1');
  await driver.close();
  disturb(host, 'network', 'network-2');
  expect(seen).toEqual(['network network-1']);
});
