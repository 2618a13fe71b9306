// The guest-driver contract, held by real QEMU processes.
import { guestDriverConformance } from '../conformance.ts';
import { newCloud, processesOf } from './test-cloud.ts';

guestDriverConformance('QEMU', async () => {
  const cloud = newCloud();
  let driver = cloud.driver();
  return {
    driver,
    spec: cloud.spec,
    cleanup: cloud.cleanup,
    async restart() {
      await driver.close(); // what kill -9 does to its sockets
      driver = cloud.driver();
      return driver;
    },
    async kill(id) {
      for (const pid of processesOf(id)) process.kill(pid, 'SIGKILL');
    },
    leftovers: async (id) => cloud.leftovers(id),
  };
});
