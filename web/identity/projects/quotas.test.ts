// Quotas of three services as one list.
import { expect, it } from 'vitest';
import { changedQuotas, quotasOf, type Quotas } from './quotas.ts';

it('reads limits and use in the words of each service, and says where nothing is counted', () => {
  expect(
    quotasOf('compute', { instances: { limit: 10, in_use: 2 }, key_pairs: { limit: 100, in_use: 0 } }),
  ).toEqual([
    { name: 'instances', limit: 10, used: 2 },
    { name: 'key_pairs', limit: 100, used: null },
  ]);
  expect(quotasOf('network', { port: { limit: -1, used: 3 }, future: { limit: 1 } })).toEqual([
    { name: 'port', limit: -1, used: 3 },
  ]);
});

it('sends only what differs, to the service that keeps it', () => {
  const quotas: Quotas = {
    compute: [
      { name: 'instances', limit: 10, used: 2 },
      { name: 'cores', limit: 20, used: 2 },
    ],
    storage: [{ name: 'volumes', limit: 10, used: 0 }],
    network: [{ name: 'port', limit: 500, used: 3 }],
  };
  expect(changedQuotas(quotas, { instances: 12, cores: 20, volumes: 10, port: -1 })).toEqual({
    compute: { instances: 12 },
    network: { port: -1 },
  });
  expect(changedQuotas(quotas, {})).toEqual({});
});
