// The simulated volume driver keeps the contract of the real one.
import { volumeDriverConformance } from '../conformance.ts';
import { createSimVolumeDriver, createSimVolumeHost } from './driver.ts';

volumeDriverConformance('sim', async () => {
  const host = createSimVolumeHost();
  const driver = createSimVolumeDriver(host);
  return {
    driver: () => driver,
    restart: async () => createSimVolumeDriver(host),
    async write(id, serverId, text) {
      const volume = host.volumes.get(id);
      if (volume?.holder !== serverId) throw new Error('not held');
      volume.content = text;
    },
    read: async (id) => host.volumes.get(id)?.content ?? '',
    image: async (text) => ({ type: 'image', imageId: text, path: '/simulated', format: 'raw' }),
    cleanup: async () => {},
  };
});
