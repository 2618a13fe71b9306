// A container: from the API request to ACTIVE, and to the first line that its first process prints.
import { join } from 'node:path';
import { line, ms, spread, type Figure } from '../figure.ts';
import { untilUserspace } from '../load/console.ts';
import { startRealCloud } from '../load/real-cloud.ts';

const RUNS = 5;

export const container: Figure = {
  name: 'container',
  title: `${RUNS} containers on a real ./up`,
  async measure(say) {
    const cloud = await startRealCloud('tiny-container');
    const active: number[] = [];
    const userspace: number[] = [];
    try {
      for (let run = -1; run < RUNS; run++) {
        const { id, asked } = await cloud.create(`container-${run}`);
        const [running, printed] = await Promise.all([
          cloud.untilActive(id),
          untilUserspace(join(cloud.dataDir, 'podman', 'guests', id, 'console.log'), 60),
        ]);
        await cloud.remove(id);
        say(
          `${run < 0 ? 'first, with the image to load: ' : ''}ACTIVE ${ms(running - asked)}, first line ${ms(printed - asked)}`,
        );
        if (run < 0) continue;
        active.push(running - asked);
        userspace.push(printed - asked);
      }
    } finally {
      await cloud.teardown();
    }
    return [
      line('container: API request to ACTIVE', spread(active, ms)),
      line('  API request to its first line', spread(userspace, ms)),
    ];
  },
};
