// A login storm: password logins a second, and what everybody else notices of it.
import { line, median, ms, percentile, rate, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently, loginBody, openClient } from '../load/client.ts';
import { startSimCloud } from '../load/sim-cloud.ts';

const CLIENTS = 50;
const LOGINS = 200;
const RUNS = 3;

export const logins: Figure = {
  name: 'logins',
  title: `${LOGINS} logins by ${CLIENTS} clients`,
  measure: (say) =>
    withFolder(async (dir) => {
      const cloud = await startSimCloud(dir, 1);
      const bystander = openClient(cloud.url, 1);
      /** Latencies of one request after the other for as long as `during` lasts. */
      const healthWhile = async (during: Promise<unknown>): Promise<number[]> => {
        let over = false;
        void during.finally(() => (over = true));
        const took: number[] = [];
        while (!over) took.push(...(await concurrently(1, 1, () => bystander.call('GET', '/healthz'))));
        await during;
        return took;
      };
      try {
        const calm = await healthWhile(new Promise((resolve) => setTimeout(resolve, 2000)));
        const speed: number[] = [];
        const storm: number[] = [];
        for (let run = 0; run < RUNS; run++) {
          const began = performance.now();
          storm.push(
            ...(await healthWhile(
              concurrently(LOGINS, CLIENTS, () =>
                cloud.demo.call('POST', '/identity/v3/auth/tokens', loginBody('demo', cloud.passwords.demo)),
              ),
            )),
          );
          speed.push((LOGINS * 1000) / (performance.now() - began));
          say(`${rate(speed[run] ?? 0)}`);
        }
        return [
          line(`password logins, ${CLIENTS} clients`, spread(speed, rate)),
          line('  GET /healthz meanwhile, p50 / p99', `${ms(median(storm))} / ${ms(percentile(storm, 99))}`, {
            rival: `without the storm ${ms(median(calm))} / ${ms(percentile(calm, 99))}`,
          }),
        ];
      } finally {
        bystander.close();
        await cloud.stop();
      }
    }),
};
