// One dnsmasq for each network with DHCP on this host. It is detached and outlives this process, is adopted
// by pid file and command line, and is started again when it was killed from outside.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import type { NetworkBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import {
  dhcpFiles,
  dhcpOptions,
  dnsmasqConfig,
  hostLine,
  parseHosts,
  servedSubnets,
  type DhcpHost,
} from './dhcp-text.ts';
import { runningDnsmasq, signal, startDnsmasq, stopDnsmasq, writeWhole } from './dnsmasq.ts';
import { short, type CloudNames } from './names.ts';
import { noPortOptions, parsePortOptions, type PortOptions } from './port-options.ts';

export type Dhcp = {
  /** Starts, adopts or stops the network's dnsmasq and tells it changed options. */
  ensure(networkId: string, network: NetworkBody): Promise<void>;
  remove(networkId: string): Promise<void>;
  /** null: DHCP no longer answers the port. */
  setHost(networkId: string, portId: string, host: DhcpHost | null, options?: PortOptions): Promise<void>;
  close(): void;
};

type Server = {
  config: string;
  options: string;
  hosts: Map<string, DhcpHost>;
  /** Of the ports that have options of their own. */
  portOptions: Map<string, PortOptions>;
  /** Address -> MAC that this dnsmasq may hold a lease for: it refuses the address to another MAC, so it has to start afresh then. null: adopted, hence unknown. */
  given: Map<string, string> | null;
  pid: number;
};

/** Milliseconds between looks at the processes. */
const supervision = 1_000;

const ipsOf = (host: DhcpHost): string[] => [...(host.ip === '' ? [] : [host.ip]), ...host.ip6];
const owned = (host: DhcpHost): [string, string][] => ipsOf(host).map((ip) => [ip, host.mac]);

export function createDhcp(options: {
  names: CloudNames;
  clock: Clock;
  log: Log;
  exclusive<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** True while the port with this short has a device: lines of others are what a crash or a reboot left. */
  plugged(portShort: string): boolean;
  restarted(networkId: string): void;
}): Dhcp {
  const { names, clock, log, exclusive, plugged, restarted } = options;
  const servers = new Map<string, Server>();
  const alone = <T>(networkId: string, work: () => Promise<T>): Promise<T> =>
    exclusive(`dhcp:${networkId}`, work);
  let closed = false;

  const writeHosts = (networkId: string, server: Server): Promise<void> =>
    writeWhole(
      dhcpFiles(names.runDir, networkId).hosts,
      [...server.hosts].map(([key, host]) => `${hostLine(key, host)}\n`).join(''),
    );

  async function writePortOptions(networkId: string, server: Server): Promise<void> {
    const files = dhcpFiles(names.runDir, networkId);
    const all = [...server.portOptions.values()];
    await writeWhole(files.portMacs, all.map(({ macs }) => macs).join(''));
    await writeWhole(files.portOptions, all.map(({ options: lines }) => lines).join(''));
  }

  async function launch(networkId: string, server: Server): Promise<void> {
    const files = dhcpFiles(names.runDir, networkId);
    await stopDnsmasq(files, clock);
    await startDnsmasq(names.networkNs(networkId), files, `Network ${networkId}: starting DHCP`);
    server.pid = runningDnsmasq(files);
    server.given = new Map([...server.hosts.values()].flatMap((host) => owned(host)));
  }

  async function ensure(networkId: string, network: NetworkBody): Promise<void> {
    if (servedSubnets(network).length === 0) return removeServer(networkId);
    const files = dhcpFiles(names.runDir, networkId);
    await mkdir(dirname(files.config), { recursive: true, mode: 0o755 });
    const [config, options] = [dnsmasqConfig(network, files), dhcpOptions(network)];
    const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
    const known = servers.get(networkId);
    const server: Server = known ?? {
      config: await read(files.config),
      options: await read(files.options),
      hosts: new Map([...parseHosts(await read(files.hosts))].filter(([key]) => plugged(key))),
      portOptions: parsePortOptions(await read(files.portMacs), await read(files.portOptions)),
      given: null,
      pid: 0,
    };
    server.pid = runningDnsmasq(files);
    const restart = server.config !== config || server.pid === 0;
    if (restart) await writeWhole(files.config, config);
    if (server.options !== options || restart) await writeWhole(files.options, options);
    if (restart) await writeHosts(networkId, server);
    if (restart) await writePortOptions(networkId, server);
    if (restart) await launch(networkId, server);
    else if (server.options !== options) signal(server.pid, 'SIGHUP');
    Object.assign(server, { config, options });
    servers.set(networkId, server);
  }

  async function removeServer(networkId: string): Promise<void> {
    servers.delete(networkId);
    const files = dhcpFiles(names.runDir, networkId);
    await stopDnsmasq(files, clock);
    await rm(dirname(files.config), { recursive: true, force: true });
  }

  /** True when they changed. */
  function setPortOptions(server: Server, key: string, wanted: PortOptions): boolean {
    const before = server.portOptions.get(key) ?? noPortOptions;
    if (before.macs === wanted.macs && before.options === wanted.options) return false;
    if (wanted.macs === '') server.portOptions.delete(key);
    else server.portOptions.set(key, wanted);
    return true;
  }

  async function setHost(
    networkId: string,
    portId: string,
    host: DhcpHost | null,
    own: PortOptions = noPortOptions,
  ): Promise<void> {
    const server = servers.get(networkId);
    if (server === undefined) return;
    const key = short(portId);
    const restart = setPortOptions(server, key, own);
    if (restart) await writePortOptions(networkId, server);
    const before = server.hosts.get(key);
    if (before === undefined ? host === null : host !== null && hostLine(key, before) === hostLine(key, host))
      return restart ? launch(networkId, server) : undefined;
    // An address has one owner: a line that a crash left behind gives way.
    for (const [other, entry] of server.hosts)
      if (
        host !== null &&
        other !== key &&
        (entry.mac === host.mac || ipsOf(entry).some((ip) => ipsOf(host).includes(ip)))
      )
        server.hosts.delete(other);
    if (host === null) server.hosts.delete(key);
    else server.hosts.set(key, host);
    await writeHosts(networkId, server);
    if (restart) return launch(networkId, server);
    if (host === null) return signal(server.pid, 'SIGHUP');
    const { given } = server;
    if (given === null || ipsOf(host).some((ip) => (given.get(ip) ?? host.mac) !== host.mac))
      return launch(networkId, server);
    for (const [ip, mac] of owned(host)) given.set(ip, mac);
    signal(server.pid, 'SIGHUP');
  }

  async function supervise(): Promise<void> {
    for (const [networkId, server] of servers) {
      if (runningDnsmasq(dhcpFiles(names.runDir, networkId)) !== 0) continue;
      await alone(networkId, async () => {
        if (
          closed ||
          servers.get(networkId) !== server ||
          runningDnsmasq(dhcpFiles(names.runDir, networkId)) !== 0
        )
          return;
        log.warn({ networkId, pid: server.pid }, 'dnsmasq was killed from outside; starting it again');
        await launch(networkId, server);
        restarted(networkId);
      }).catch((error: unknown) =>
        log.error(
          { networkId, error: String(error), detail: error instanceof DriverError ? error.detail : '' },
          'dnsmasq could not be started again',
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
    ensure: (networkId, network) => alone(networkId, () => ensure(networkId, network)),
    remove: (networkId) => alone(networkId, () => removeServer(networkId)),
    setHost: (networkId, portId, host, own) => alone(networkId, () => setHost(networkId, portId, host, own)),
    close: () => {
      closed = true;
      cancel();
    },
  };
}
