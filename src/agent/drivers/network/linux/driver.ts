// The network driver for Linux: bridges, taps, veths, namespaces, nftables, tc and dnsmasq, all of one cloud in
// namespaces of its own. It keeps no state but the kernel's: names derive from ids, and ids are in device
// aliases and names of chains. The parts lie beside; this file puts them together.
import { randomBytes } from 'node:crypto';
import type { ServerBody } from '../../../../protocol/items.ts';
import type { MetadataSource, NetworkDriver } from '../driver.ts';
import { createExclusive, serializedNft, type LinuxContext, type LinuxNetworkOptions } from './context.ts';
import { linkLocalOf } from './addresses.ts';
import { createAdvertiser } from './advertise.ts';
import { createDhcp } from './dhcp.ts';
import { ensureHostLink } from './external.ts';
import { emptyState, objectsOf, readKernelState } from './kernel-state.ts';
import { createMetadataListeners } from './metadata-listener.ts';
import {
  configDriveFiles,
  isPasswordPath,
  metadataResponse,
  passwordResponse,
  type MetadataGuest,
  type MetadataResponse,
} from './metadata.ts';
import { cloudNames } from './names.ts';
import { ensureNetwork, removeNetwork } from './network.ts';
import { ensurePort, removePort } from './port.ts';
import { ensureRouter, removeRouter } from './router.ts';
import {
  ensureAddressGroup,
  ensureSecurityGroup,
  removeAddressGroup,
  removeSecurityGroup,
} from './security-groups.ts';
import { ensureSwitch, pruneSwitch } from './switch.ts';

export type { LinuxNetworkOptions } from './context.ts';

const noMetadata: MetadataSource = () => null;

/** A random seed for each server, the same for the life of this process: never stored, never in a log. */
function createSeeds(): (serverId: string) => string {
  const seeds = new Map<string, string>();
  return (serverId) => {
    const seed = seeds.get(serverId) ?? randomBytes(512).toString('base64');
    seeds.set(serverId, seed);
    return seed;
  };
}

/** A guest that asks over IPv6 comes from its link-local address, which its MAC decides. */
function fixedIpOf(ctx: LinuxContext, networkId: string, sourceIp: string): string {
  if (!sourceIp.startsWith('fe80:')) return sourceIp;
  const port = [...ctx.ports.values()].find(
    (one) => one.networkId === networkId && linkLocalOf(one.mac) === sourceIp,
  );
  return port?.fixedIps[0]?.ipAddress ?? sourceIp;
}

function answerMetadata(
  ctx: LinuxContext,
  seedOf: (serverId: string) => string,
  networkId: string,
  sourceIp: string,
  path: string,
): MetadataResponse | null {
  const found = ctx.metadata(networkId, fixedIpOf(ctx, networkId, sourceIp));
  return found === null ? null : metadataResponse(path, guestOf(ctx, seedOf, found.serverId, found.body));
}

function guestOf(
  ctx: LinuxContext,
  seedOf: (serverId: string) => string,
  serverId: string,
  body: ServerBody,
): MetadataGuest {
  const ports: MetadataGuest['ports'] = [];
  for (const { portId } of body.ports) {
    const port = ctx.ports.get(portId);
    const network = port === undefined ? undefined : ctx.networks.get(port.networkId);
    if (port !== undefined && network !== undefined) ports.push({ portId, port, network });
  }
  return { serverId, body, ports, randomSeed: seedOf(serverId) };
}

export function createLinuxNetworkDriver(options: LinuxNetworkOptions): NetworkDriver {
  const names = cloudNames(options.cloudId);
  let begun = 0;
  const pending = new Set<Promise<unknown>>();
  const queue = createExclusive();
  const exclusive: LinuxContext['exclusive'] = (key, work) => {
    begun++;
    const result = queue(key, work);
    pending.add(result);
    return result.finally(() => pending.delete(result));
  };
  const watchers = new Set<Parameters<NetworkDriver['watch']>[0]>();
  const notify: LinuxContext['notify'] = (kind, id) => {
    for (const changed of watchers) changed(kind, id);
  };
  const seedOf = createSeeds();
  const kernel = emptyState();
  const ctx: LinuxContext = {
    options,
    names,
    kernel,
    // Within the nft queue, so that no transaction lies between the reading and what is remembered of it.
    refresh: () =>
      exclusive('nft', async () => {
        Object.assign(kernel, mergeClaims(await readKernelState(names), kernel));
      }),
    networks: new Map(),
    ports: new Map(),
    securityGroups: new Map(),
    routers: new Map(),
    routerFrames: new Map(),
    metadata: noMetadata,
    dhcp: createDhcp({
      names,
      clock: options.clock,
      log: options.log,
      exclusive,
      plugged: (key) => kernel.devices.has(`t${key}`) || kernel.devices.has(`v${key}`),
      restarted: (networkId) => notify('network', networkId),
    }),
    advertiser: createAdvertiser({ names, clock: options.clock, log: options.log, exclusive }),
    listeners: createMetadataListeners({
      namespaceOf: names.networkNs,
      answer: (networkId, sourceIp, path) => answerMetadata(ctx, seedOf, networkId, sourceIp, path),
      async accept(networkId, sourceIp, path, content) {
        const { onPassword } = options;
        if (onPassword === undefined || !isPasswordPath(path)) return null;
        const found = ctx.metadata(networkId, fixedIpOf(ctx, networkId, sourceIp));
        if (found === null) return null;
        return passwordResponse(content, (sealed) => onPassword(found.serverId, sealed));
      },
      clock: options.clock,
      log: options.log,
    }),
    nft: serializedNft(names.switchNs, exclusive),
    exclusive,
    notify,
  };

  return {
    async start(metadata) {
      ctx.metadata = metadata;
      await ensureSwitch(names, ctx.nft);
      await ensureHostLink(names, options.externalCidr, ctx.nft);
      Object.assign(kernel, await readKernelState(names));
      await pruneSwitch(ctx);
      return {
        capabilities: [
          'dhcp',
          'dhcpv6',
          'router-advertisements',
          'metadata',
          'security-groups',
          'routers',
          'floating-ips',
          'bandwidth-limits',
          'plug-tap',
          'plug-netns',
        ],
      };
    },
    async observe() {
      const before = begun;
      const read = await readKernelState(names);
      // What was taken away from outside is made again by the next ensure, unless work under way knows better than this reading.
      if (pending.size === 0 && begun === before) Object.assign(kernel, read);
      return objectsOf(read);
    },
    ensureNetwork: (id, body) => ensureNetwork(ctx, id, body),
    removeNetwork: (id) => removeNetwork(ctx, id),
    ensureAddressGroup: (id, body) => ensureAddressGroup(ctx, id, body),
    removeAddressGroup: (id) => removeAddressGroup(ctx, id),
    ensureSecurityGroup: (id, body) => ensureSecurityGroup(ctx, id, body),
    removeSecurityGroup: (id) => removeSecurityGroup(ctx, id),
    ensureRouter: (id, body) => ensureRouter(ctx, id, body),
    removeRouter: (id) => removeRouter(ctx, id),
    ensurePort: (id, body) => ensurePort(ctx, id, body),
    removePort: (id) => removePort(ctx, id),
    instanceData: (serverId, body) => configDriveFiles(guestOf(ctx, seedOf, serverId, body)),
    watch(changed) {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    async close() {
      ctx.dhcp.close();
      ctx.advertiser.close();
      while (pending.size > 0) await Promise.allSettled(pending);
      ctx.listeners.close();
      watchers.clear();
    },
  };
}

/** Marks and zones that work under way has claimed but not yet told the kernel stay claimed. */
function mergeClaims(read: LinuxContext['kernel'], known: LinuxContext['kernel']): LinuxContext['kernel'] {
  return {
    ...read,
    marks: new Map([...known.marks, ...read.marks]),
    zones: new Map([...known.zones, ...read.zones]),
  };
}
