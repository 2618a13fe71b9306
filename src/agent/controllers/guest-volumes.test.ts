// Volumes are given back only after nothing of their guest has them open any more.
import { expect, test } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { sampleServerBody } from '../drivers/guest/conformance.ts';
import { createSimGuestDriver, createSimGuestHost, killSimGuest } from '../drivers/guest/sim/sim.ts';
import { createSimVolumeDriver, createSimVolumeHost } from '../drivers/volume/sim/driver.ts';
import { guestVolumes } from './guest-volumes.ts';

test.each(['vm', 'container'] as const)(
  'the volume of a %s that ended is closed before it is given back',
  async (type) => {
    const guests = createSimGuestHost(systemClock);
    const driver = createSimGuestDriver(guests, type);
    const volumeHost = createSimVolumeHost();
    const volumes = createSimVolumeDriver(volumeHost);
    await volumes.create('v', 1, { type: 'empty' });
    const openAtRelease: number[] = [];
    const meeting = guestVolumes({
      ...volumes,
      release: async (volumeId, serverId) => {
        openAtRelease.push(guests.guests.get(serverId)?.disks.size ?? 0);
        await volumes.release(volumeId, serverId);
      },
    });
    const specWith = async (ids: string[]) => {
      const wanted = ids.map((volumeId) => ({ volumeId, device: '/dev/vdb', boot: false, readOnly: false }));
      const held = await meeting.hold('s', wanted);
      const body = sampleServerBody(type, { volumes: wanted });
      return { id: 's', body, ports: [], imagePath: null, volumes: held.volumes, folder: held.folder };
    };
    const spec = await specWith(['v']);
    await driver.define(spec);
    await driver.start(spec);
    expect(await meeting.sync(driver, spec, [], true)).toEqual([{ id: 'v', attached: true, error: null }]);
    killSimGuest(guests, 's');
    expect(guests.guests.get('s')?.disks.size).toBe(type === 'vm' ? 0 : 1);
    await meeting.sync(driver, await specWith([]), [], false);
    expect(openAtRelease).toEqual([0]);
    expect(volumeHost.volumes.get('v')?.holder).toBeNull();
  },
);

test('a volume that cannot be closed is not given back', async () => {
  const guests = createSimGuestHost(systemClock);
  const driver = createSimGuestDriver(guests, 'container');
  const volumeHost = createSimVolumeHost();
  const volumes = createSimVolumeDriver(volumeHost);
  await volumes.create('v', 1, { type: 'empty' });
  await volumes.hold('v', 's', 1, false);
  const stuck = { ...driver, closeVolumes: () => Promise.reject(new Error('stuck')) };
  const spec = { id: 's', body: sampleServerBody('container'), ports: [], imagePath: null, volumes: [] };
  await expect(guestVolumes(volumes).sync(stuck, spec, [], false)).rejects.toThrow('stuck');
  expect(volumeHost.volumes.get('v')?.holder).toBe('s');
});
