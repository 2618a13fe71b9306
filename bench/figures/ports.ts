// GET /v2.0/ports of a network with ten thousand ports, page by page: a page costs the same wherever it starts.
import { line, median, ms, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { startSimCloud } from '../load/sim-cloud.ts';

const PORTS = 10_000;
const BULK = 100;
const PAGE = 500;

type Page = { ports: { id: string }[]; ports_links?: { rel: string; href: string }[] };

export const ports: Figure = {
  name: 'ports',
  title: `GET /v2.0/ports of ${PORTS} ports, ${PAGE} a page`,
  measure: (say) =>
    withFolder(async (dir) => {
      const cloud = await startSimCloud(dir, 1);
      try {
        const { demo, admin } = cloud;
        const made = async (path: string, body: object) =>
          JSON.parse((await demo.send('POST', path, body)).text) as Record<string, { id: string }>;
        const { project_id: projectId } = (
          JSON.parse((await demo.send('GET', '/network/v2.0/quotas/tenant')).text) as {
            tenant: { project_id: string };
          }
        ).tenant;
        await admin.call('PUT', `/network/v2.0/quotas/${projectId}`, { quota: { port: PORTS + 10 } });
        const network =
          (await made('/network/v2.0/networks', { network: { name: 'wide' } }))['network']?.id ?? '';
        await demo.call('POST', '/network/v2.0/subnets', {
          subnet: { network_id: network, ip_version: 4, cidr: '10.64.0.0/16' },
        });
        await concurrently(PORTS / BULK, 4, () =>
          demo.call('POST', '/network/v2.0/ports', {
            ports: Array.from({ length: BULK }, () => ({ network_id: network })),
          }),
        );
        const path = `/network/v2.0/ports?network_id=${network}&device_owner=&sort_key=mac_address&limit=${PAGE}`;
        const walk = async (): Promise<number[]> => {
          const took: number[] = [];
          let seen = 0;
          for (let next: string | undefined = path; next !== undefined;) {
            const begun = performance.now();
            const { text } = await demo.send('GET', next);
            took.push(performance.now() - begun);
            const page = JSON.parse(text) as Page;
            seen += page.ports.length;
            next = page.ports_links?.find(({ rel }) => rel === 'next')?.href.slice(cloud.url.length);
          }
          if (seen !== PORTS) throw new Error(`the pages hold ${seen} of ${PORTS} ports`);
          return took;
        };
        await walk();
        const walks = [await walk(), await walk(), await walk()];
        const quarter = PORTS / PAGE / 4;
        const first = median(walks.flatMap((took) => took.slice(0, quarter)));
        const last = median(walks.flatMap((took) => took.slice(-quarter)));
        say(`first quarter ${ms(first)} a page, last quarter ${ms(last)} a page`);
        return [
          line(`GET /v2.0/ports, ${PORTS} ports, a page of ${PAGE}`, spread(walks.flat(), ms)),
          line('  last pages against first pages', `${(last / first).toFixed(2)} x`, {
            target: '<= 1.5 x',
            met: last / first <= 1.5,
          }),
        ];
      } finally {
        await cloud.stop();
      }
    }),
};
