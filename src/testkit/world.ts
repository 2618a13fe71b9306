// world(): a simulated cloud. The real control plane and the real agents with simulated drivers, in one process,
// on a virtual clock, replayable by its seed, killed and started again at any await.
import type { Agent } from '../agent/agent.ts';
import type { Control } from '../control/app.ts';
import type { Reader } from '../kernel/db/index.ts';
import { openSqlite } from '../kernel/db/sqlite.ts';
import { type Rng, seededIds, seededRng } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { simBackups, type SimBackups } from './backups.ts';
import { boundDatabase, createBoundary, type Boundary } from './boundary.ts';
import { createFaults, type FaultOptions, type Faults } from './faults.ts';
import type { Answer } from './http.ts';
import { createSimHost, startSimAgent, type HostSize, type SimHost } from './sim-host.ts';
import { memoryContents } from './sim-content.ts';
import { simLink } from './sim-link.ts';
import { BEGINNING, controlOver, template, type Template } from './template.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';

export type WorldOptions = {
  seed: number;
  hosts?: number;
  hostSize?: HostSize;
  faults?: FaultOptions;
  /** Limits of project demo; -1: unlimited. */
  quotas?: Readonly<Record<string, number>>;
};

export type User = 'admin' | 'demo';

/** One life of the program: control and, as in `up`, the agents, killed together. */
type Process = { boundary: Boundary; control: Control; read: Reader; requests: number };

export type World = {
  readonly seed: number;
  readonly clock: VirtualClock;
  /** For scenarios; the program has its own. */
  readonly rng: Rng;
  readonly hosts: readonly SimHost[];
  /** What the store of backups holds. */
  readonly backups: SimBackups;
  readonly faults: Faults;
  readonly given: Template;
  /** Every crossing of a process's boundary, in order. */
  readonly trace: string[];
  /** What the program logged as an error. */
  readonly errors: string[];
  /** Committed rows, past all boundaries and faults. */
  read(): Reader;
  control(): Control;
  /** A request of a user; null: the process died before its answer was seen. */
  call(
    user: User,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer | null>;
  up(): boolean;
  /** Kills the process. */
  crash(): void;
  /** Kills it at its n-th crossing from now, and after that at the next number's counted from there. */
  crashAt(...crossings: number[]): void;
  /** How often a process of it crossed its boundary. */
  crossings(): number;
  /** Called right before each crash. */
  onCrash(fn: () => void): void;
  /** Starts it again over what is on disk; again as often as it is killed meanwhile. */
  restart(): Promise<void>;
  /** Runs what can run without time passing. */
  quiet(): Promise<void>;
  advance(ms: number): Promise<void>;
  /** Lets time pass until `work` is done, starting the process again `downMs` after each crash. */
  during<T>(work: Promise<T>, downMs?: number): Promise<T>;
  /** Lets time pass until everything that was asked for has come true. Throws what is missing after `limitMs`. */
  settle(limitMs?: number): Promise<void>;
  /** Starts only the agent of this host, with control away. */
  startAgent(host: SimHost): Promise<Agent>;
  close(): Promise<void>;
};

const DEFAULT_SIZE: HostSize = { vcpus: 16, memoryMib: 32_768, diskGib: 500 };
/** Turns of the event loop without a crossing after which nothing can happen before a timer fires. */
const CALM_TURNS = 5;
const CALM_TURNS_IN_REQUEST = 30;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Forks of one generator, so that what one part draws changes nothing for the others. */
const fork = (seed: number, part: number): Rng =>
  seededRng(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(part, 0x85ebca6b));

export async function world(options: WorldOptions): Promise<World> {
  const { seed } = options;
  const given = await template();
  const copy = given.copy();
  const clock = createVirtualClock(BEGINNING + 1000);
  const backups: SimBackups = new Map();
  const faults = createFaults(fork(seed, 1), options.faults ?? {});
  const programRng = fork(seed, 2);
  const ids = seededIds(fork(seed, 3));
  const hosts = Array.from({ length: options.hosts ?? 3 }, (_, at) =>
    createSimHost(`host-${at + 1}`, clock, options.hostSize ?? DEFAULT_SIZE),
  );
  const contents = memoryContents();
  const trace: string[] = [];
  const errors: string[] = [];
  let process: Process | null = null;
  let agents: Agent[] = [];
  const boundaries = new Set<Boundary>();
  let crossings = 0;
  let crashIn = Infinity;
  let crashesLeft: number[] = [];
  const crashHooks: (() => void)[] = [];

  const logOf = (boundary: Boundary): Log => {
    const note = (level: string) => (fields: object, message: string) => {
      if (!boundary.alive()) return;
      if (level === 'error') errors.push(`${message} ${JSON.stringify(fields)}`);
      trace.push(`${clock.now() - BEGINNING} log ${level} ${message}`);
    };
    const log: Log = {
      debug: () => {},
      info: () => {},
      warn: note('warn'),
      error: note('error'),
      child: () => log,
    };
    return log;
  };

  const crossing = (boundary: Boundary, label: string): void | Promise<void> => {
    crossings += 1;
    trace.push(`${clock.now() - BEGINNING} ${boundary.name} ${label}`);
    if (--crashIn <= 0) {
      crash();
      return;
    }
    if (faults.yields()) return turn();
  };

  function crash(): void {
    for (const hook of crashHooks) hook();
    crashIn = crashesLeft.shift() ?? Infinity;
    trace.push(`${clock.now() - BEGINNING} CRASH`);
    process = null;
    agents = [];
    for (const boundary of boundaries) boundary.kill();
    boundaries.clear();
  }

  const newBoundary = (name: string): Boundary => {
    const boundary = createBoundary(name, clock, crossing);
    boundaries.add(boundary);
    return boundary;
  };

  async function startAgent(host: SimHost): Promise<Agent> {
    const boundary = newBoundary(host.hostname);
    const end = process === null ? null : { link: process.control.link, killed: process.boundary.killed };
    const link = simLink({ host, boundary, faults, clock, control: () => end });
    const agent = await startSimAgent(host, { boundary, link, log: logOf(boundary), faults });
    agents.push(agent);
    return agent;
  }

  async function start(): Promise<void> {
    const boundary = newBoundary('control');
    const real = openSqlite({ file: copy.file, synchronous: 'OFF' });
    const db = boundDatabase(real, boundary);
    const started = controlOver(given.dir, {
      db,
      clock: boundary.clock,
      ids,
      rng: programRng,
      log: logOf(boundary),
      backups: simBackups(backups, boundary),
      contents,
    });
    const control = await Promise.race([started, boundary.killed]);
    if (control === undefined) return;
    process = { boundary, control, read: real.read, requests: 0 };
    // A crash while the agents start leaves them hanging in their boundaries.
    await Promise.race([
      (async () => {
        for (const host of hosts) {
          if (!boundary.alive()) return;
          await startAgent(host);
        }
      })(),
      boundary.killed,
    ]);
  }

  const running = (): Process => {
    if (process === null) throw new Error('the simulated process is down');
    return process;
  };

  const self: World = {
    seed,
    clock,
    rng: fork(seed, 4),
    hosts,
    backups,
    faults,
    given,
    trace,
    errors,
    read: () => running().read,
    control: () => running().control,
    up: () => process !== null,
    crash,
    crashAt(...crossings) {
      crashIn = crossings[0] ?? Infinity;
      crashesLeft = crossings.slice(1);
    },
    onCrash: (fn) => void crashHooks.push(fn),
    crossings: () => crossings,
    startAgent,

    async call(user, method, url, body, headers = {}) {
      const to = process;
      if (to === null) return null;
      const ask = async (): Promise<Answer | null> => {
        to.requests += 1;
        const answer = await to.control.http.inject({
          method: method as 'GET',
          url,
          headers: {
            'x-auth-token': given.tokens[user],
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
        });
        to.requests -= 1;
        await to.boundary.cross(`http ${method} ${url} ${answer.statusCode}`);
        return {
          status: answer.statusCode,
          headers: answer.headers,
          text: answer.body,
          get json() {
            return JSON.parse(answer.body) as unknown;
          },
        };
      };
      return Promise.race([ask(), to.boundary.killed.then(() => null)]);
    },

    async restart() {
      for (let tries = 1; process === null; tries += 1) {
        if (tries > 20) throw new Error('the process does not come up');
        await start();
      }
    },

    async quiet() {
      let seen = -1;
      for (
        let calm = 0;
        calm < ((process?.requests ?? 0) > 0 ? CALM_TURNS_IN_REQUEST : CALM_TURNS);
        calm += 1
      ) {
        await turn();
        if (trace.length !== seen) calm = -1;
        seen = trace.length;
      }
    },

    async advance(ms) {
      const until = clock.now() + ms;
      do await self.quiet();
      while (clock.step(until));
    },

    async during(work, downMs = 1_000) {
      let ended = false;
      const end = (): void => void (ended = true);
      work.then(end, end);
      for (;;) {
        await self.quiet();
        if (ended) return work;
        if (process === null) {
          await self.advance(downMs);
          await self.restart();
        } else if (!clock.step(clock.next() ?? clock.now())) throw new Error('nothing can happen any more');
      }
    },

    async settle(limitMs = 600_000) {
      const until = clock.now() + limitMs;
      for (;;) {
        await self.quiet();
        if (process === null) {
          await self.advance(1_000);
          await self.restart();
          continue;
        }
        const missing = await unsettled(running().read, agents);
        if (missing === null) return;
        if (clock.now() >= until)
          throw new Error(`seed ${seed}: after ${limitMs / 1000} s there still are ${missing}`);
        clock.step(until);
      }
    },

    async close() {
      self.crashAt();
      if (process !== null) crash();
      copy.remove();
    },
  };

  await self.restart();
  const { quotas } = options;
  if (quotas !== undefined) {
    const { platform } = self.control();
    await platform.db.tx((tx) => platform.quotas.setLimits(tx, given.projectId, quotas));
  }
  await self.quiet();
  return self;
}

/** What has not come true yet; null: nothing. */
async function unsettled(read: Reader, agents: readonly Agent[]): Promise<string | null> {
  const idle = agents.filter((agent) => !agent.idle()).length;
  if (idle > 0) return `${idle} busy agents`;
  const work = await read.selectFrom('work').select(['kind', 'id']).limit(3).execute();
  if (work.length > 0) return `work ${JSON.stringify(work)}`;
  const items = await read
    .selectFrom('host_items')
    .selectAll()
    .where((eb) => eb.or([eb('wanted', '=', 0), eb('state', '=', 'pending')]))
    .limit(5)
    .execute();
  if (items.length > 0) return `items ${JSON.stringify(items)}`;
  const servers = await read
    .selectFrom('servers')
    .select(['id', 'status', 'deleting', 'desired_version', 'observed_version', 'error', 'host_name'])
    .where((eb) =>
      eb.or([
        eb('status', '=', 'BUILD'),
        eb('deleting', '=', 1),
        eb('observed_version', '<', eb.ref('desired_version')),
        // On the way from one phase to the next, and not given up.
        eb.and([
          eb('phase', 'in', [
            'resizing',
            'confirming',
            'reverting',
            'shelving',
            'shelved',
            'offloading',
            'unshelving',
          ]),
          eb('error', 'is', null),
        ]),
      ]),
    )
    .limit(3)
    .execute();
  return servers.length > 0 ? `servers ${JSON.stringify(servers)}` : null;
}
