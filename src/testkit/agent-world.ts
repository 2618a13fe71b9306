// A host and a control made up for the agent's tests: what the host has outlives the agents on it, and control can be away.
import { silentLog } from '../kernel/log.ts';
import type { Item, ItemKind } from '../protocol/items.ts';
import type { Link, Report } from '../protocol/link.ts';
import { createVirtualClock } from './virtual-clock.ts';
import { createAgent } from '../agent/agent.ts';
import { keyOf, referencesOf, type Controller, type Key } from '../agent/controller.ts';
import { kinds } from '../agent/convergence.ts';
import { memoryItemStore, type StoredItem } from '../agent/item-store.ts';

export const network = (id: string, generation = 1): Item => ({
  kind: 'network',
  id,
  generation,
  body: { segment: 1, mtu: 1500, external: false, adminUp: true, subnets: [] },
});
export const port = (id: string, on: string, generation = 1): Item => ({
  kind: 'port', id, generation,
  body: { networkId: on, mac: '02:00:00:00:00:01', fixedIps: [], allowedAddressPairs: [], portSecurity: false, securityGroupIds: [], adminUp: true, hostname: 'h', serverId: 's', plug: 'tap' },
}); // prettier-ignore
export const server = (id: string, ports: string[], generation = 1): Item =>
  ({
    kind: 'server',
    id,
    generation,
    body: {
      ports: ports.map((portId) => ({ portId, mac: '02:00:00:00:00:01' })),
      volumes: [],
      power: 'running',
    },
  }) as unknown as Item;

/** A host (what it has outlives the agents on it) and a control that can be away. */
export function world() {
  const clock = createVirtualClock(1_000_000);
  const truth = new Map<Key, number>();
  const disk = new Map<string, StoredItem>();
  const calls: string[] = [];
  const reports: Report[] = [];
  const state = {
    away: false,
    reportsFail: false,
    wanted: new Map<Key, Item>(),
    fail: (_verb: string, _key: Key): Error | null => null,
    gate: null as Promise<void> | null,
  };
  let revision = 1;
  let changed = new Map<Key, { item: Item; revision: number }>();
  let wake = (): void => {};
  const changes = new Map<ItemKind, (id: string) => void>();
  const controllers = Object.fromEntries(
    kinds.map((kind) => [
      kind,
      {
        kind,
        needs: referencesOf as never,
        async ensure(item: Item) {
          const key = keyOf(kind, item.id);
          calls.push(`ensure ${key}@${item.generation}`);
          await state.gate;
          const error = state.fail('ensure', key);
          if (error !== null) throw error;
          for (const need of referencesOf(item))
            if (!truth.has(need)) throw new Error(`${key} was applied before ${need}`);
          truth.set(key, item.generation);
          return {};
        },
        async remove(id: string) {
          const key = keyOf(kind, id);
          calls.push(`remove ${key}`);
          await state.gate;
          const error = state.fail('remove', key);
          if (error !== null) throw error;
          truth.delete(key);
        },
        observe: async () =>
          [...truth.keys()]
            .filter((key) => key.startsWith(`${kind}/`))
            .map((key) => key.slice(kind.length + 1)),
        watch(callback: (id: string) => void) {
          changes.set(kind, callback);
          return () => void changes.delete(kind);
        },
      },
    ]),
  ) as unknown as { [K in ItemKind]: Controller<K> };
  const here = <T>(answer: T): Promise<T> =>
    state.away ? Promise.reject(new Error('away')) : Promise.resolve(answer);
  const link: Link = {
    register: () => here({ hostId: 'h1', sequence: 0 }),
    pull: (_host, since) =>
      here({
        revision,
        full: since === 0,
        items:
          since === 0
            ? [...state.wanted.values()]
            : [...changed.values()].filter((one) => one.revision > since).map((one) => one.item),
      }),
    async report(_host, batch) {
      await here(null);
      if (state.reportsFail) throw new Error('no');
      reports.push(...batch);
      // As control does: what is wanted again meanwhile hears no late "gone".
      for (const { kind, id, state: now } of batch)
        if (now === 'gone' && changed.get(keyOf(kind, id))?.item.body === null)
          changed.delete(keyOf(kind, id));
    },
    heartbeat: () => here(undefined),
    guestPassword: () => here(false),
    image: () => Promise.reject(new Error('none')),
    onWake(_host, callback) {
      wake = callback;
      return () => (wake = () => {});
    },
  };
  const agent = (boot = 'boot-1') =>
    createAgent({
      link,
      clock,
      log: silentLog,
      facts: {} as never,
      queries: {} as never,
      store: memoryItemStore(disk),
      controllers,
      boot,
    });
  return {
    clock,
    truth,
    disk,
    calls,
    reports,
    state,
    changes,
    agent,
    /** Control changes its mind: what is not named must go. */
    want(...items: Item[]) {
      const next = new Map(items.map((item) => [keyOf(item.kind, item.id), item]));
      for (const [key, item] of state.wanted)
        if (!next.has(key))
          changed.set(key, { item: { ...item, body: null } as Item, revision: revision + 1 });
      for (const [key, item] of next)
        if (state.wanted.get(key)?.generation !== item.generation)
          changed.set(key, { item, revision: revision + 1 });
      state.wanted = next;
      revision += 1;
      wake();
    },
    restarted() {
      changed = new Map();
    },
    async quiet() {
      for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
    async pass(ms: number) {
      for (const until = clock.now() + ms; ;) {
        await this.quiet();
        if (!clock.step(until)) break;
      }
      await this.quiet();
    },
  };
}
