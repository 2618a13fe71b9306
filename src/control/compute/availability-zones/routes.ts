// Availability zones over HTTP: api-ref "Availability zones". A zone is what the hosts of an aggregate share.
import { route, type Route } from '../../../kernel/http/route.ts';
import { HOST_DOWN_MS } from '../../host/index.ts';
import { isUp, numberedHosts } from '../hypervisors/routes.ts';
import { controlServices } from '../services/routes.ts';

const stamp = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000');

export const availabilityZoneRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v2.1/os-availability-zone',
    policy: 'compute:availability-zones:list',
    summary: 'List availability zones',
    async handler({ ctx }) {
      const zones = Map.groupBy(await numberedHosts(ctx), (host) => host.zone);
      return {
        body: {
          availabilityZoneInfo: [...zones].map(([zoneName, hosts]) => ({
            zoneName,
            zoneState: {
              available: hosts.some(
                (host) => host.enabled && ctx.platform.clock.now() - host.seenAt <= HOST_DOWN_MS,
              ),
            },
            hosts: null,
          })),
        },
      };
    },
  }),
  route({
    method: 'GET',
    path: '/v2.1/os-availability-zone/detail',
    policy: 'compute:availability-zones:detail',
    summary: 'List availability zones with their hosts',
    async handler({ ctx }) {
      const zones = Map.groupBy(await numberedHosts(ctx), (host) => host.zone);
      const now = stamp(ctx.platform.clock.now());
      const internal = {
        zoneName: 'internal',
        zoneState: { available: true },
        hosts: {
          control: Object.fromEntries(
            controlServices.map(({ binary }) => [binary, { available: true, active: true, updated_at: now }]),
          ),
        },
      };
      return {
        body: {
          availabilityZoneInfo: [
            internal,
            ...[...zones].map(([zoneName, hosts]) => ({
              zoneName,
              zoneState: { available: hosts.some((host) => host.enabled && isUp(ctx, host)) },
              hosts: Object.fromEntries(
                hosts.map((host) => [
                  host.hostname,
                  {
                    'nova-compute': {
                      available: isUp(ctx, host),
                      active: host.enabled,
                      updated_at: stamp(host.heardAt),
                    },
                  },
                ]),
              ),
            })),
          ],
        },
      };
    },
  }),
];
