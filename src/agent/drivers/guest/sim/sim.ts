// The simulated guest driver. What a kernel would hold lives in `SimGuestHost`, which outlives a simulated
// crash: a new driver over the same host adopts its guests. Cheap enough for thousands of guests, no timers
// unless a delay is asked for.
import { writeFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { sleep, type Clock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import { EMPTY_QCOW2 } from './empty-disk.ts';
import type { GuestDriver, GuestPower, GuestSpec, GuestState, GuestType } from '../driver.ts';

export type SimGuest = {
  type: GuestType;
  spec: GuestSpec;
  power: GuestPower;
  /** How often it was started; part of the incarnation. */
  starts: number;
  /** rebuildCount of the spec that its root was made with. */
  rebuilt: number;
  resized: number;
  /** What is on its root: the number of each start since it was made, as if the guest had written it. */
  root: readonly number[];
  /** The root before its last resize; null: none is kept. */
  original: readonly number[] | null;
  /** Ports that its process has open; none while it has no process. */
  nics: ReadonlySet<string>;
  /** Volumes that are open for it. Those of a VM are open in its process, those of a container until they are closed. */
  disks: ReadonlySet<string>;
  /** The present or last run began from its rescue image. */
  rescued: boolean;
};

export type SimVerb =
  | 'define'
  | 'start'
  | 'stop'
  | 'reboot'
  | 'rebuild'
  | 'resize'
  | 'revertResize'
  | 'confirmResize'
  | 'pause'
  | 'resume'
  | 'suspend'
  | 'syncVolumes'
  | 'closeVolumes'
  | 'syncPorts'
  | 'destroy';

export type SimGuestHost = {
  clock: Clock;
  guests: Map<string, SimGuest>;
  /** Never reset, so that a guest that was destroyed and made again never repeats an incarnation. */
  incarnations: number;
  watchers: Set<(id: string) => void>;
  /** Those that are open; what is typed comes back. */
  consoles: Set<{ id: string; starts: number; bytes: PassThrough }>;
  /** Called before a verb takes effect and again, as `<verb>:after`, when it has: an error, or a crash thrown here, comes at either side. */
  fail?: (step: SimVerb | `${SimVerb}:after`, id: string) => DriverError | null;
  /** Milliseconds each verb takes. */
  delayMs?: number;
  /** Where copies of disks go; absent: into files. */
  writeDisk?: (path: string, content: Buffer) => Promise<void>;
};

export function createSimGuestHost(clock: Clock): SimGuestHost {
  return { clock, guests: new Map(), incarnations: 0, watchers: new Set(), consoles: new Set() };
}

/** Ends a guest as if it had died or, with 'stopped', powered itself off. */
export function killSimGuest(host: SimGuestHost, id: string, power: 'crashed' | 'stopped' = 'crashed'): void {
  const guest = host.guests.get(id);
  if (guest === undefined || (guest.power !== 'running' && guest.power !== 'paused')) return;
  Object.assign(guest, { power, ...left(guest) });
  endConsoles(host, id);
  for (const watcher of host.watchers) watcher(id);
}

/** A console ends with the process that it was opened of. */
function endConsoles(host: SimGuestHost, id: string): void {
  const guest = host.guests.get(id);
  const runs = guest?.power === 'running' || guest?.power === 'paused';
  for (const opened of host.consoles)
    if (opened.id === id && !(runs && guest?.starts === opened.starts)) opened.bytes.end();
}

const nicsOf = (spec: GuestSpec): ReadonlySet<string> => new Set(spec.ports.map((port) => port.portId));
const disksOf = (spec: GuestSpec): ReadonlySet<string> => new Set(spec.volumes.map((one) => one.volumeId));
/** What a guest without a process has open. */
const nothing = (): Pick<SimGuest, 'nics' | 'disks'> => ({ nics: new Set(), disks: new Set() });
/** What is open of a guest that ends by itself or is stopped. */
const left = (guest: SimGuest): Pick<SimGuest, 'nics' | 'disks'> =>
  guest.type === 'vm' ? nothing() : { ...nothing(), disks: guest.disks };

export function createSimGuestDriver(host: SimGuestHost, type: GuestType): GuestDriver {
  const mine = (id: string): SimGuest | null => {
    const guest = host.guests.get(id);
    return guest?.type === type ? guest : null;
  };
  const existing = (id: string): SimGuest => {
    const guest = mine(id);
    if (guest === null) throw new DriverError('failed', `server ${id} is not on this host`);
    return guest;
  };
  const view = (id: string, guest: SimGuest): GuestState => ({
    id,
    power: guest.power,
    incarnation: guest.power === 'running' || guest.power === 'paused' ? `sim:${guest.starts}` : null,
    rebootCount: guest.spec.body.rebootCount,
    rebuildCount: guest.rebuilt,
    resizeCount: guest.resized,
    hasOriginal: guest.original !== null,
  });
  /** Every verb: maybe slow, maybe failing before or after its effect, which itself is one synchronous step. */
  const verb = async (name: SimVerb, id: string, effect: () => void): Promise<void> => {
    if (host.delayMs !== undefined && host.delayMs > 0) await sleep(host.clock, host.delayMs);
    const before = host.fail?.(name, id) ?? null;
    if (before !== null) throw before;
    effect();
    endConsoles(host, id);
    const after = host.fail?.(`${name}:after`, id) ?? null;
    if (after !== null) throw after;
  };
  const begin = (guest: SimGuest): void => {
    host.incarnations += 1;
    guest.starts = host.incarnations;
    guest.root = [...guest.root, host.incarnations];
    guest.power = 'running';
    guest.nics = nicsOf(guest.spec);
    guest.disks = disksOf(guest.spec);
    guest.rescued = guest.spec.body.rescue !== undefined;
  };
  const end = (guest: SimGuest, power: GuestPower): void => {
    Object.assign(guest, { power, ...left(guest) });
  };
  const subscriptions = new Set<(id: string) => void>();

  return {
    type,
    probe: async () => ({
      type,
      driver: 'sim',
      hypervisorType: 'simulated',
      hypervisorVersion: 1_000_000,
      capabilities: [
        'pause',
        'suspend',
        'resize',
        'snapshot',
        'volumes',
        ...(type === 'vm' ? ['rescue', 'serial', 'vnc'] : ['shell']),
      ],
    }),
    list: async () => {
      const found: GuestState[] = [];
      for (const [id, guest] of host.guests) if (guest.type === type) found.push(view(id, guest));
      return found;
    },
    get: async (id) => {
      const guest = mine(id);
      return guest === null ? null : view(id, guest);
    },
    define: (spec) =>
      verb('define', spec.id, () => {
        const guest = host.guests.get(spec.id);
        if (guest === undefined)
          host.guests.set(spec.id, {
            type,
            spec,
            power: 'stopped',
            starts: 0,
            rebuilt: spec.body.rebuildCount,
            resized: spec.body.resizeCount,
            root: [],
            original: null,
            ...nothing(),
            rescued: false,
          });
        else guest.spec = spec;
      }),
    start: (spec) =>
      verb('start', spec.id, () => {
        const guest = existing(spec.id);
        if (guest.power === 'running') return;
        guest.spec = spec;
        if (guest.power === 'paused') guest.power = 'running';
        else begin(guest);
      }),
    stop: (id, _graceMs) =>
      verb('stop', id, () => {
        const guest = mine(id);
        if (guest !== null) end(guest, 'stopped');
      }),
    reboot: (spec) =>
      verb('reboot', spec.id, () => {
        const guest = existing(spec.id);
        guest.spec = spec;
        begin(guest);
      }),
    rebuild: (spec) =>
      verb('rebuild', spec.id, () => {
        const guest = existing(spec.id);
        guest.spec = spec;
        end(guest, 'stopped');
        guest.rebuilt = spec.body.rebuildCount;
        guest.root = [];
      }),
    resize: (spec) =>
      verb('resize', spec.id, () => {
        const guest = existing(spec.id);
        if (guest.resized === spec.body.resizeCount) return;
        Object.assign(guest, {
          spec,
          power: 'stopped',
          ...nothing(),
          resized: spec.body.resizeCount,
          original: guest.original ?? guest.root,
        });
      }),
    revertResize: (spec) =>
      verb('revertResize', spec.id, () => {
        const guest = existing(spec.id);
        if (guest.resized === spec.body.resizeCount) return;
        Object.assign(guest, {
          spec,
          power: 'stopped',
          ...nothing(),
          resized: spec.body.resizeCount,
          root: guest.original ?? guest.root,
          original: null,
        });
      }),
    confirmResize: (id) =>
      verb('confirmResize', id, () => {
        const guest = mine(id);
        if (guest !== null) guest.original = null;
      }),
    pause: (id) =>
      verb('pause', id, () => {
        const guest = existing(id);
        if (guest.power === 'running') guest.power = 'paused';
        else if (guest.power !== 'paused')
          throw new DriverError(
            'failed',
            `server ${id} does not run, so it cannot be paused; start it first`,
          );
      }),
    resume: (id) =>
      verb('resume', id, () => {
        const guest = existing(id);
        if (guest.power === 'paused') guest.power = 'running';
        else if (guest.power !== 'running')
          throw new DriverError(
            'failed',
            `server ${id} does not run, so it cannot be resumed; start it first`,
          );
      }),
    suspend: (id) =>
      verb('suspend', id, () => {
        const guest = existing(id);
        if (guest.power === 'running' || guest.power === 'paused') end(guest, 'suspended');
        else if (guest.power !== 'suspended')
          throw new DriverError(
            'failed',
            `server ${id} does not run, so it cannot be suspended; start it first`,
          );
      }),
    async exportRoot(spec, path) {
      existing(spec.id);
      await (host.writeDisk ?? writeFile)(path, EMPTY_QCOW2);
    },
    async syncVolumes(spec) {
      await verb('syncVolumes', spec.id, () => {
        const guest = existing(spec.id);
        guest.spec = spec;
        if (guest.power === 'running' || guest.power === 'paused') guest.disks = disksOf(spec);
      });
      return spec.volumes.map((one) => ({ id: one.volumeId, attached: true, error: null }));
    },
    closeVolumes: (id) =>
      verb('closeVolumes', id, () => {
        const guest = mine(id);
        if (guest !== null && guest.power !== 'running' && guest.power !== 'paused') guest.disks = new Set();
      }),
    async syncPorts(spec) {
      await verb('syncPorts', spec.id, () => {
        const guest = existing(spec.id);
        guest.spec = spec;
        if (guest.power === 'running' || guest.power === 'paused') guest.nics = nicsOf(spec);
      });
      return { failed: [], again: false };
    },
    destroy: (id) =>
      verb('destroy', id, () => {
        if (mine(id) !== null) host.guests.delete(id);
      }),
    figures: async (id) => {
      const guest = mine(id);
      if (guest === null || (guest.power !== 'running' && guest.power !== 'paused')) return null;
      const { vcpus, memoryMib } = guest.spec.body;
      return {
        uptimeS: null,
        memory: { maximumMib: memoryMib, usedMib: null },
        cpus: Array.from({ length: vcpus }, (_, id) => ({ id, timeNs: null })),
        nics: [],
        disks: [],
      };
    },
    consoleLog: async (id, lines) => {
      const guest = existing(id);
      if (guest.starts === 0 || lines === 0) return '';
      return `[simulated] server ${id} (${guest.spec.body.hostname}) booted, incarnation sim:${guest.starts}\n`;
    },
    openConsole: async (id, kind) => {
      const guest = existing(id);
      if (guest.power !== 'running')
        throw new DriverError('failed', `server ${id} does not run, so it has no console; start it first`);
      if ((kind === 'shell') !== (type === 'container'))
        throw new DriverError('refused', `server ${id} is a ${type}; it has no ${kind} console`);
      const bytes = new PassThrough();
      bytes.write(`[simulated] ${kind} of ${id}\r\n`);
      const opened = { id, starts: guest.starts, bytes };
      host.consoles.add(opened);
      bytes.once('close', () => host.consoles.delete(opened));
      return { bytes, resize: (columns, rows) => void bytes.write(`[${columns}x${rows}]`) };
    },
    watch: (changed) => {
      host.watchers.add(changed);
      subscriptions.add(changed);
      return () => {
        host.watchers.delete(changed);
        subscriptions.delete(changed);
      };
    },
    close: async () => {
      for (const changed of subscriptions) host.watchers.delete(changed);
      subscriptions.clear();
    },
  };
}
