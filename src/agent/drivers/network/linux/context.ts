// What the parts of the Linux network driver share: options, names, what the kernel is known to hold, what
// was last asked for, and the two queues that keep transactions and objects apart.
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import type { NetworkBody, PortBody, RouterBody, SecurityGroupBody } from '../../../../protocol/items.ts';
import type { MetadataSource } from '../driver.ts';
import type { Advertiser } from './advertise.ts';
import { nftInNamespace } from './commands.ts';
import type { Dhcp } from './dhcp.ts';
import type { KernelState } from './kernel-state.ts';
import type { MetadataListeners } from './metadata-listener.ts';
import type { CloudNames } from './names.ts';

export type LinuxNetworkOptions = {
  dataDir: string;
  /** 6 to 10 characters of a-z and 0-9, unique per data dir. */
  cloudId: string;
  log: Log;
  clock: Clock;
  /** Prefix of the external network, e.g. 172.24.4.0/24; the host takes the first address. */
  externalCidr: string;
  /** Owner of a server's taps: the user as whom its guest runs. */
  guestUid: (serverId: string) => number;
  /** Keeps what a guest told as its sealed password; false: it has one already. Absent: guests tell none. */
  onPassword?(serverId: string, sealed: string): Promise<boolean>;
};

export type LinuxContext = {
  options: LinuxNetworkOptions;
  names: CloudNames;
  /** Refreshed by `refresh` at start and after a failure that left it in doubt. */
  kernel: KernelState;
  refresh(): Promise<void>;
  networks: Map<string, NetworkBody>;
  ports: Map<string, PortBody>;
  securityGroups: Map<string, SecurityGroupBody>;
  routers: Map<string, RouterBody>;
  /** Of routers that this process made whole: all of what was planned but the translation rules, which change most. */
  routerFrames: Map<string, string>;
  metadata: MetadataSource;
  dhcp: Dhcp;
  advertiser: Advertiser;
  listeners: MetadataListeners;
  /** One nft transaction in the switch namespace; they run one after the other. */
  nft(text: string, what: string): Promise<void>;
  /** Runs `work` alone among all work of the same key. */
  exclusive<T>(key: string, work: () => Promise<T>): Promise<T>;
  notify(kind: 'network' | 'router' | 'port', id: string): void;
};

/** A queue per key; an entry goes away with its last waiter. */
export function createExclusive(): LinuxContext['exclusive'] {
  const tails = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = tails.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => {});
    tails.set(key, settled);
    try {
      return await mine;
    } finally {
      if (tails.get(key) === settled) tails.delete(key);
    }
  };
}

export const serializedNft =
  (ns: string, exclusive: LinuxContext['exclusive']): LinuxContext['nft'] =>
  (text, what) =>
    text === '' ? Promise.resolve() : exclusive('nft', () => nftInNamespace(ns, text, what));
