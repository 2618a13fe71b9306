// From an API request to what packets meet: a security group rule, a port forwarding, and the end of each.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { line, ms, spread, type Figure, type Line } from '../figure.ts';
import { startRealCloud } from '../load/real-cloud.ts';

const RUNS = 10;
/** Milliseconds that issue 3 allows. */
const TARGET = 1_000;
const neutron = '/network/v2.0';

/** True when the port takes a connection; a dropped SYN is not waited for. */
const answers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (open: boolean): void => {
      clearTimeout(limit);
      socket.destroy();
      resolve(open);
    };
    const limit = setTimeout(() => end(false), 60);
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });

async function until(host: string, port: number, open: boolean): Promise<number> {
  for (const limit = performance.now() + 30_000; performance.now() < limit; await sleep(2))
    if ((await answers(host, port)) === open) return performance.now();
  throw new Error(`port ${port} of ${host} does not ${open ? 'open' : 'close'}`);
}

const figureOf = (what: string, times: readonly number[]): Line =>
  line(what, spread(times, ms), { target: `< ${TARGET} ms`, met: Math.max(...times) < TARGET });

export const wire: Figure = {
  name: 'wire',
  title: `${RUNS} changes of a security group and of a port forwarding, on a real ./up`,
  async measure(say) {
    const cloud = await startRealCloud('tiny-container');
    const { api } = cloud;
    const opened: number[] = [];
    const closed: number[] = [];
    const forwarded: number[] = [];
    const ended: number[] = [];
    try {
      const { id } = await cloud.create('wire');
      await cloud.untilActive(id);
      const one = async <T>(path: string, key: string): Promise<T> => {
        const found = (await api.call<Record<string, T[]>>('GET', neutron + path))[key]?.[0];
        if (found === undefined) throw new Error(`${path} is empty`);
        return found;
      };
      const external = await one<{ id: string }>('/networks?router:external=true', 'networks');
      const subnet = await one<{ id: string }>('/subnets?cidr=10.33.0.0/24', 'subnets');
      const port = await one<{ id: string; security_groups: string[] }>(`/ports?device_id=${id}`, 'ports');
      const { router } = await api.call<{ router: { id: string } }>('POST', `${neutron}/routers`, {
        router: { external_gateway_info: { network_id: external.id } },
      });
      await api.call('PUT', `${neutron}/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
      const { floatingip } = await api.call<{ floatingip: { id: string; floating_ip_address: string } }>(
        'POST',
        `${neutron}/floatingips`,
        { floatingip: { floating_network_id: external.id } },
      );
      const address = floatingip.floating_ip_address;
      const forwardings = `${neutron}/floatingips/${floatingip.id}/port_forwardings`;
      const forward = async (outside: number, inside = 80): Promise<string> =>
        (
          await api.call<{ port_forwarding: { id: string } }>('POST', forwardings, {
            port_forwarding: {
              protocol: 'tcp',
              external_port: outside,
              internal_port: inside,
              internal_port_id: port.id,
            },
          })
        ).port_forwarding.id;
      const admit = async (): Promise<string> =>
        (
          await api.call<{ security_group_rule: { id: string } }>('POST', `${neutron}/security-group-rules`, {
            security_group_rule: {
              security_group_id: port.security_groups[0],
              direction: 'ingress',
              protocol: 'tcp',
              port_range_min: 80,
              port_range_max: 80,
            },
          })
        ).security_group_rule.id;
      const timed = async <T>(
        into: number[],
        ask: () => Promise<T>,
        outside: number,
        open: boolean,
      ): Promise<T> => {
        const asked = performance.now();
        const answer = await ask();
        into.push((await until(address, outside, open)) - asked);
        return answer;
      };
      // Of an address that is in use already: its first forwarding also brings it to the router.
      await forward(7_777, 81);
      const first = await forward(8_080);
      await timed([], admit, 8_080, true).then((rule) =>
        api.call('DELETE', `${neutron}/security-group-rules/${rule}`),
      );
      await until(address, 8_080, false);
      for (let run = 0; run < RUNS; run++) {
        const rule = await timed(opened, admit, 8_080, true);
        const remove = (): Promise<unknown> => api.call('DELETE', `${neutron}/security-group-rules/${rule}`);
        await timed(closed, remove, 8_080, false);
      }
      await admit();
      await until(address, 8_080, true);
      // A guest's port is forwarded once.
      await api.call('DELETE', `${forwardings}/${first}`);
      await until(address, 8_080, false);
      for (let run = 0; run < RUNS; run++) {
        const made = await timed(forwarded, () => forward(9_000 + run), 9_000 + run, true);
        const end = (): Promise<unknown> => api.call('DELETE', `${forwardings}/${made}`);
        await timed(ended, end, 9_000 + run, false);
      }
      say(`${RUNS} of each`);
    } finally {
      await cloud.teardown();
    }
    return [
      figureOf('security group rule: API request to the first connection', opened),
      figureOf('  and its end, to the first refused one', closed),
      figureOf('port forwarding: API request to the first connection', forwarded),
      figureOf('  and its end', ended),
    ];
  },
};
