// A shell in a container for its user: one more process of the container, started by the OCI runtime with what the
// container itself runs with. The runtime holds the terminal of the shell and hangs it up when it ends, so nothing is
// left of the shell when this process dies (podman's own `exec` gives the terminal to a conmon that would outlive it).
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { sleep, type Clock } from '../../../../kernel/clock.ts';
import { run } from '../../../../kernel/run.ts';
import type { HostConsole } from '../../../../protocol/link.ts';
import { DriverError } from '../../errors.ts';
import { processIdentity, type PodmanClient } from './client.ts';
import { replyFailure } from './failure.ts';
import { podmanProcess, readText, writeWhole, type Place } from './place.ts';

/** Characters of a window before it says its size. */
const START = { width: 80, height: 24 };
/** Of a window, in characters. */
const MAX_SIDE = 1_000;
const BEGIN_MS = 10_000;
const TERM = 'xterm-256color';

const inspectSchema = Compile(
  Type.Object({
    Id: Type.String(),
    State: Type.Object({ Status: Type.String() }),
    OCIConfigPath: Type.Optional(Type.String()),
  }),
);
const ociSchema = Compile(
  Type.Object({ process: Type.Object({ env: Type.Optional(Type.Array(Type.String())) }) }),
);

/**
 * The shell as an OCI process: all that the container's own first process has (user, capabilities, no new privileges,
 * limits, environment, folder), with a terminal.
 */
export function shellProcess(config: unknown): object {
  if (!ociSchema.Check(config)) throw new Error('the OCI configuration of the container names no process');
  const env = (config.process.env ?? []).filter((one) => !one.startsWith('TERM='));
  return {
    ...config.process,
    terminal: true,
    consoleSize: START,
    args: ['/bin/sh'],
    env: [...env, `TERM=${TERM}`],
  };
}

const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');

/**
 * Runs the command on a terminal of its own, which script(1) holds: in this process, every guest that is started
 * meanwhile would inherit it. It is hung up when that ends, and that ends with this process, whatever ends it.
 */
const onTerminal = (place: Place, command: readonly string[]): ChildProcessWithoutNullStreams => {
  const { cwd, env } = podmanProcess(place);
  const script = ['script', '--quiet', '--flush', '--return', '--echo', 'never', '--command'];
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...script, `exec ${quoted(command)}`, '/dev/null'], {
    cwd,
    env: { ...env, SHELL: '/bin/sh', TERM },
  });
};

/** `ended`: the shell is gone, and its terminal with it. */
function overTerminal(terminal: ChildProcessWithoutNullStreams, serverId: string, ended: () => void): Duplex {
  const bytes = new Duplex({
    allowHalfOpen: false,
    read: () => void terminal.stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => void terminal.stdin.write(chunk, () => done()),
    destroy(error, done) {
      terminal.kill('SIGKILL');
      done(error);
    },
  });
  terminal.stdout.on('data', (data: Buffer) => {
    if (!bytes.push(data)) terminal.stdout.pause();
  });
  terminal.stderr.resume();
  // What is still typed at a shell that has just ended goes nowhere.
  terminal.stdin.on('error', () => {});
  terminal.once('error', (error) => {
    ended();
    bytes.destroy(
      new DriverError('unavailable', `server ${serverId}: its host cannot open shells`, String(error), error),
    );
  });
  terminal.once('close', () => {
    ended();
    bytes.push(null);
  });
  return bytes;
}

/** Sets the size of the terminal that is the standard input of a process. */
async function resizeTerminal(pid: number, columns: number, rows: number): Promise<void> {
  const sides = ['rows', String(Math.min(rows, MAX_SIDE)), 'cols', String(Math.min(columns, MAX_SIDE))];
  await run(['stty', '-F', `/proc/${pid}/fd/0`, ...sides], { timeoutMs: 2_000 });
}

/** The process of the shell as soon as the runtime has written which one it is; null: it ended before that. */
async function begun(
  clock: Clock,
  ended: () => boolean,
  pidFile: string,
): Promise<{ pid: number; identity: string } | null> {
  for (let waited = 0; waited < BEGIN_MS && !ended(); waited += 10) {
    const pid = Number(await readText(pidFile));
    const identity = await processIdentity(pid);
    const command = identity === null ? '' : ((await readText(`/proc/${pid}/cmdline`)) ?? '');
    // Before it becomes the shell, or fails to, it still is the runtime, whose command names the file.
    if (identity !== null && command !== '' && !command.includes(pidFile)) return { pid, identity };
    await sleep(clock, 10);
  }
  return null;
}

export function createShells(clock: Clock) {
  const opened = new Set<Duplex>();
  let folder: Promise<string> | null = null;
  /** Where the runtime is told what to start; what a process that was killed has left there goes. */
  const filesOf = (place: Place): Promise<string> => {
    const path = join(place.volatile, 'shells');
    folder ??= rm(path, { recursive: true, force: true }).then(async () => {
      await mkdir(path, { mode: 0o700 });
      return path;
    });
    folder.catch(() => (folder = null));
    return folder;
  };

  return {
    async open(
      { place, client, runtimePath }: { place: Place; client: PodmanClient; runtimePath: string },
      { serverId, name }: { serverId: string; name: string },
    ): Promise<HostConsole> {
      const reply = await client.call('GET', `/containers/${name}/json`);
      if (reply.status !== 200 || !inspectSchema.Check(reply.body))
        throw replyFailure(reply, `server ${serverId}: podman does not tell the state of its container`);
      const { Id, State, OCIConfigPath } = reply.body;
      // In a container that is paused, nothing would start.
      if (State.Status !== 'running' || OCIConfigPath === undefined)
        throw new DriverError(
          'failed',
          `server ${serverId}: its container is ${State.Status}, and has a shell only while it is running`,
        );
      const file = join(await filesOf(place), randomUUID());
      const config: unknown = JSON.parse(await readFile(OCIConfigPath, 'utf8'));
      await writeWhole(file, JSON.stringify(shellProcess(config)));
      const pidFile = `${file}.pid`;
      const command = [runtimePath, 'exec', '--tty', '--pid-file', pidFile, '--process', file, Id];
      let over = false;
      const bytes = overTerminal(onTerminal(place, command), serverId, () => {
        over = true;
        for (const one of [file, pidFile]) void rm(one, { force: true });
      });
      opened.add(bytes);
      bytes.once('close', () => opened.delete(bytes));
      let failure: Error | null = null;
      bytes.once('error', (error) => (failure = error));
      const shell = await begun(clock, () => over, pidFile);
      if (failure !== null) throw failure;
      if (shell === null) {
        const said = String(bytes.read() ?? '');
        bytes.destroy();
        throw new DriverError(
          'refused',
          `server ${serverId}: no shell could be started; its container needs a /bin/sh`,
          said,
        );
      }
      let resizing = Promise.resolve();
      return {
        bytes,
        resize(columns, rows) {
          // One after the other, so that the last one counts. A shell that has ended has no size.
          resizing = resizing
            .then(async () => {
              if ((await processIdentity(shell.pid)) === shell.identity)
                await resizeTerminal(shell.pid, columns, rows);
            })
            .catch(() => {});
        },
      };
    },
    close(): void {
      for (const bytes of opened) bytes.destroy();
    },
  };
}
