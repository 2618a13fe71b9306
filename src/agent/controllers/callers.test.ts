// The index of who may ask for metadata follows the ports.
import { expect, test } from 'vitest';
import type { ItemOf } from '../../protocol/items.ts';
import type { Controller, HostState } from '../controller.ts';
import { indexCallers } from './callers.ts';

const done: string[] = [];
const plain: Controller<'port'> = {
  kind: 'port',
  needs: () => [],
  ensure: async (item) => {
    done.push(`ensure ${item.id}`);
    return {};
  },
  remove: async (id) => {
    done.push(`remove ${id}`);
  },
  observe: async () => [],
  watch: () => () => {},
};
const host = {} as HostState;
const item = (id: string, serverId: string, ...addresses: string[]): ItemOf<'port'> =>
  ({
    kind: 'port',
    id,
    body: { networkId: 'n', serverId, fixedIps: addresses.map((ipAddress) => ({ ipAddress })) },
  }) as unknown as ItemOf<'port'>;

test('an address stands for the server of its port, as long as the port has it', async () => {
  const { port, serverAt } = indexCallers(plain);
  await port.ensure(item('p', 'a', '10.0.0.5', 'fd00::5'), host);
  await port.ensure(item('q', 'b', '10.0.0.6'), host);
  expect(['10.0.0.5', 'fd00::5', '10.0.0.6', '10.0.0.7'].map((ip) => serverAt('n', ip))).toEqual([
    'a',
    'a',
    'b',
    null,
  ]);
  expect(serverAt('other network', '10.0.0.5')).toBeNull();
  await port.ensure(item('p', 'a', '10.0.0.8'), host);
  expect([serverAt('n', '10.0.0.5'), serverAt('n', '10.0.0.8')]).toEqual([null, 'a']);
  await port.remove('p');
  expect(serverAt('n', '10.0.0.8')).toBeNull();
  expect(done).toEqual(['ensure p', 'ensure q', 'ensure p', 'remove p']);
});
