// The guest-driver contract, held by the simulation, and what the simulation adds: faults.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import { guestDriverConformance, sampleServerBody, type SpecOverrides } from '../conformance.ts';
import type { GuestSpec, GuestType } from '../driver.ts';
import { createSimGuestDriver, createSimGuestHost, killSimGuest } from './sim.ts';

const specOf = (overrides: SpecOverrides = {}, type: GuestType = 'vm'): GuestSpec => ({
  id: randomUUID(),
  ports: [],
  volumes: [],
  imagePath: '/nonexistent',
  ...overrides,
  body: sampleServerBody(type, overrides.body),
});

const withVolume = async (spec: GuestSpec, volumeId: string | null): Promise<GuestSpec> => {
  const wanted = volumeId === null ? [] : [{ volumeId, device: '/dev/vdb', boot: false, readOnly: false }];
  const volumes = wanted.map((one) => ({ ...one, layers: [], size: 0 }));
  return { ...spec, body: { ...spec.body, volumes: wanted }, volumes };
};

for (const [type, delayMs] of [
  ['vm', 0],
  ['vm', 1],
  ['container', 0],
] as const) {
  guestDriverConformance(`simulated ${type}, each verb takes ${delayMs} ms`, async () => {
    const host = createSimGuestHost(systemClock);
    host.delayMs = delayMs;
    return {
      driver: createSimGuestDriver(host, type),
      spec: (overrides) => specOf(overrides, type),
      withVolume,
      cleanup: async () => {},
      restart: async () => createSimGuestDriver(host, type),
      kill: async (id) => killSimGuest(host, id),
      leftovers: async (id) => (host.guests.has(id) ? [id] : []),
    };
  });
}

describe('the simulated guest driver', () => {
  test('fails on command, before or after the effect', async () => {
    const host = createSimGuestHost(systemClock);
    const driver = createSimGuestDriver(host, 'vm');
    const spec = specOf();
    const broken = new DriverError('no-space', 'the disk is full');
    host.fail = (step) => (step === 'define' ? broken : null);
    await expect(driver.define(spec)).rejects.toBe(broken);
    expect(await driver.get(spec.id)).toBeNull();
    host.fail = (step) => (step === 'define:after' ? broken : null);
    await expect(driver.define(spec)).rejects.toBe(broken);
    expect(await driver.get(spec.id)).not.toBeNull();
  });

  test('shows each type only its own guests', async () => {
    const host = createSimGuestHost(systemClock);
    const vm = createSimGuestDriver(host, 'vm');
    const container = createSimGuestDriver(host, 'container');
    const spec = specOf();
    await vm.define(spec);
    expect(await container.list()).toEqual([]);
    await container.destroy(spec.id);
    expect(await vm.get(spec.id)).not.toBeNull();
  });

  test('a closed driver no longer hears of its host', async () => {
    const host = createSimGuestHost(systemClock);
    const driver = createSimGuestDriver(host, 'vm');
    driver.watch(() => {
      throw new Error('heard after close');
    });
    await driver.close();
    const spec = specOf();
    const next = createSimGuestDriver(host, 'vm');
    await next.define(spec);
    await next.start(spec);
    killSimGuest(host, spec.id);
    expect((await next.get(spec.id))?.power).toBe('crashed');
  });
});
