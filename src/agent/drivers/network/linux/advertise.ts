// Router advertisements: a dnsmasq in the namespace of each router that has IPv6 subnets to tell of. It comes from
// the router, so that guests route through the router's link-local address (RFC 4861); addresses are given by the
// network's own DHCP, not here. dnsmasq rather than radvd, because it is on the host anyway and says all of it.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import type { RouterBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { address, prefix } from './addresses.ts';
import { runningDnsmasq, startDnsmasq, stopDnsmasq, writeWhole, type DnsmasqFiles } from './dnsmasq.ts';
import { short, type CloudNames } from './names.ts';

type Subnet = NonNullable<RouterBody['interfaces'][number]['advertise']>[number];
/** What one interface tells. `mtu` in bytes. */
export type Advertised = { device: string; mtu: number; subnets: Subnet[] };

export const advertiseDir = (names: CloudNames, routerId: string): string =>
  `${names.runDir}/ra/${short(routerId)}`;

const filesOf = (names: CloudNames, routerId: string): DnsmasqFiles => ({
  pid: `${advertiseDir(names, routerId)}/pid`,
  config: `${advertiseDir(names, routerId)}/dnsmasq.conf`,
});

/** Seconds between unasked advertisements, and for how long one holds. Who asks is answered at once. */
const [interval, lifetime] = [60, 1_800];
const prefixLifetime = 86_400;

/** dnsmasq's words for: the guest forms its address; and asks for the rest; or gets all by DHCPv6. */
const rangeModes = { slaac: 'ra-only', 'dhcpv6-stateless': 'ra-stateless', 'dhcpv6-stateful': 'static' };

/** Throws 'refused' before anything is touched. '' when there is nothing to tell. */
export function advertisementConfig(field: string, all: readonly Advertised[], files: DnsmasqFiles): string {
  const lines = all.flatMap(({ device, mtu, subnets }) =>
    subnets.flatMap((subnet, at) => {
      const range = prefix(`${field}: advertised cidr`, subnet.cidr, 6);
      const dns = subnet.dnsNameservers.map((ip) => address(`${field}: DNS server`, ip, 6));
      const tag = `${device}x${at}`;
      return [
        ...(at === 0 ? [`interface=${device}`, `ra-param=${device},mtu:${mtu},${interval},${lifetime}`] : []),
        `dhcp-range=set:${tag},${range.text.split('/')[0]},${rangeModes[subnet.mode]},${range.length},${prefixLifetime}`,
        ...(dns.length === 0
          ? []
          : [`dhcp-option=tag:${tag},option6:dns-server,${dns.map((ip) => `[${ip}]`).join()}`]),
      ];
    }),
  );
  if (lines.length === 0) return '';
  return [
    'port=0',
    'no-resolv',
    'no-hosts',
    'except-interface=lo',
    'bind-interfaces',
    'enable-ra',
    'quiet-ra',
    'quiet-dhcp6',
    'leasefile-ro',
    'log-facility=/dev/null',
    'user=nobody',
    'group=nogroup',
    `pid-file=${files.pid}`,
    ...lines,
    '',
  ].join('\n');
}

export type Advertiser = {
  /** The configuration for `ensure`; throws 'refused'. */
  plan(routerId: string, all: readonly Advertised[]): string;
  /** Starts, adopts, changes or stops ('') what the router tells. */
  ensure(routerId: string, config: string): Promise<void>;
  remove(routerId: string): Promise<void>;
  close(): void;
};

/** Milliseconds between looks at the processes. */
const supervision = 1_000;

export function createAdvertiser(options: {
  names: CloudNames;
  clock: Clock;
  log: Log;
  exclusive<T>(key: string, work: () => Promise<T>): Promise<T>;
}): Advertiser {
  const { names, clock, log, exclusive } = options;
  /** Routers whose process should run. */
  const running = new Set<string>();
  let closed = false;

  async function ensure(routerId: string, config: string): Promise<void> {
    const files = filesOf(names, routerId);
    if (config === '') return remove(routerId);
    const before = await readFile(files.config, 'utf8').catch(() => '');
    if (before !== config || runningDnsmasq(files) === 0) {
      await mkdir(dirname(files.config), { recursive: true, mode: 0o755 });
      await writeWhole(files.config, config);
      await stopDnsmasq(files, clock);
      await startDnsmasq(names.routerNs(routerId), files, `Router ${routerId}: starting advertisements`);
    }
    running.add(routerId);
  }

  async function remove(routerId: string): Promise<void> {
    running.delete(routerId);
    await stopDnsmasq(filesOf(names, routerId), clock);
    await rm(advertiseDir(names, routerId), { recursive: true, force: true });
  }

  async function supervise(): Promise<void> {
    for (const routerId of running) {
      const files = filesOf(names, routerId);
      if (runningDnsmasq(files) !== 0) continue;
      await exclusive(`router:${routerId}`, async () => {
        if (closed || !running.has(routerId) || runningDnsmasq(files) !== 0) return;
        log.warn(
          { routerId },
          'the dnsmasq that advertises a router was killed from outside; starting it again',
        );
        await startDnsmasq(names.routerNs(routerId), files, `Router ${routerId}: starting advertisements`);
      }).catch((error: unknown) =>
        log.error(
          { routerId, error: String(error), detail: error instanceof DriverError ? error.detail : '' },
          'advertisements could not be started again',
        ),
      );
    }
  }
  let cancel = (): void => {};
  const schedule = (): void => {
    cancel = clock.timer(supervision, () => void supervise().finally(() => closed || schedule()));
  };
  schedule();

  return {
    plan: (routerId, all) => advertisementConfig(`Router ${routerId}`, all, filesOf(names, routerId)),
    ensure,
    remove,
    close: () => {
      closed = true;
      cancel();
    },
  };
}
