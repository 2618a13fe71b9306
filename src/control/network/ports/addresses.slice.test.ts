// Allocation fills pools exactly, whatever the order of claims and releases.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../../kernel/db/index.ts';
import { onBothEngines, openTestDatabase, type TestDatabase } from '../../../testkit/database.ts';
import { subnetMigration, type SubnetRow } from '../subnets/table.ts';
import { subnetPoolMigration } from '../subnet-pools/table.ts';
import {
  addressMigration,
  releaseAddresses,
  resetFreeAddresses,
  takeAddress,
  takeNextAddress,
} from './addresses.ts';

onBothEngines('addresses of a pool', (engine) => {
  let test_: TestDatabase;
  beforeAll(async () => {
    test_ = await openTestDatabase(engine);
    await migrate(test_.db, 0, [subnetMigration, addressMigration, subnetPoolMigration]);
  });
  afterAll(() => test_.remove());

  let made = 0;
  const subnet = async (pools: { start: string; end: string }[], version = 4): Promise<SubnetRow> => {
    const row: SubnetRow = {
      id: `s${made++}`,
      project_id: 'p',
      description: '',
      created_at: 0,
      updated_at: 0,
      revision: 0,
      name: '',
      network_id: 'n',
      ip_version: version,
      cidr: version === 4 ? '10.0.0.0/8' : 'fd00::/64',
      gateway_ip: '',
      enable_dhcp: 0,
      allocation_pools: JSON.stringify(pools),
      dns_nameservers: '[]',
      host_routes: '[]',
      ipv6_ra_mode: '',
      ipv6_address_mode: '',
      subnetpool_id: '',
    };
    await test_.db.tx(async (tx) => {
      await tx.insertInto('subnets').values(row).execute();
      await resetFreeAddresses(tx, row);
    });
    return row;
  };
  const holder = (name: string) => ({ portId: name, networkId: 'n', position: 0 });
  const next = (row: SubnetRow, name: string) =>
    test_.db.tx((tx) => takeNextAddress(tx, row, holder(name)), { locks: [row.id] });

  test('any mix of claims, claims by name and releases fills a pool to the last address, each once', async () => {
    const step = fc.oneof(
      fc.constant('next' as const),
      fc.record({ ip: fc.integer({ min: 0, max: 15 }) }),
      fc.record({ free: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const row = await subnet([
          { start: '10.0.0.2', end: '10.0.0.6' },
          { start: '10.0.0.10', end: '10.0.0.12' },
        ]);
        const pool = [
          '10.0.0.2',
          '10.0.0.3',
          '10.0.0.4',
          '10.0.0.5',
          '10.0.0.6',
          '10.0.0.10',
          '10.0.0.11',
          '10.0.0.12',
        ];
        const held = new Map<string, string>();
        for (const [at, one] of steps.entries()) {
          const name = `${row.id}-p${at}`;
          if (one === 'next') {
            const ip = await next(row, name);
            const free = pool.filter((address) => !held.has(address));
            expect(ip === null).toBe(free.length === 0);
            if (ip !== null) {
              expect(free).toContain(ip);
              held.set(ip, name);
            }
          } else if ('ip' in one) {
            const ip = `10.0.0.${one.ip}`;
            const got = await test_.db.tx((tx) => takeAddress(tx, row, ip, holder(name)));
            expect(got).toBe(!held.has(ip));
            if (got) held.set(ip, name);
          } else {
            const victim = [...held][one.free % Math.max(held.size, 1)];
            if (victim === undefined) continue;
            await test_.db.tx((tx) => releaseAddresses(tx, at + 1, [victim[1]]));
            held.delete(victim[0]);
          }
        }
        for (let left = pool.filter((address) => !held.has(address)).length; left > 0; left--)
          expect(await next(row, `${row.id}-x${left}`)).not.toBeNull();
        expect(await next(row, `${row.id}-more`)).toBeNull();
      }),
      { numRuns: engine === 'sqlite' ? 60 : 15 },
    );
  });

  test('concurrent claims get different addresses until the pool is empty', async () => {
    const row = await subnet([{ start: '10.1.0.1', end: '10.1.0.40' }]);
    const got = await Promise.all(Array.from({ length: 60 }, (_, at) => next(row, `c${at}`)));
    const addresses = got.filter((ip) => ip !== null);
    expect(new Set(addresses).size).toBe(40);
    expect(addresses.length).toBe(40);
  });

  test('a freed address comes back last', async () => {
    const row = await subnet([{ start: '10.2.0.1', end: '10.2.0.4' }]);
    expect([await next(row, 'f1'), await next(row, 'f2')]).toEqual(['10.2.0.1', '10.2.0.2']);
    await test_.db.tx((tx) => releaseAddresses(tx, 10, ['f2']));
    await test_.db.tx((tx) => releaseAddresses(tx, 20, ['f1']));
    const order = [];
    for (const name of ['g1', 'g2', 'g3', 'g4', 'g5']) order.push(await next(row, name));
    expect(order).toEqual(['10.2.0.3', '10.2.0.4', '10.2.0.2', '10.2.0.1', null]);
  });

  test('an IPv6 pool of 2^64 costs no more', async () => {
    const row = await subnet([{ start: 'fd00::2', end: 'fd00::ffff:ffff:ffff:ffff' }], 6);
    expect(await next(row, 'v1')).toBe('fd00::2');
    expect(await test_.db.tx((tx) => takeAddress(tx, row, 'fd00::4', holder('v2')))).toBe(true);
    expect([await next(row, 'v3'), await next(row, 'v4')]).toEqual(['fd00::3', 'fd00::5']);
  });
});
