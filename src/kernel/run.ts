// The one way to run an external program: an argument array (never a shell), a time limit, captured and
// bounded output, and an error that carries the exit code and stderr.
import { spawn } from 'node:child_process';

export type RunOptions = {
  /** Milliseconds; default 30,000. */
  timeoutMs?: number;
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Characters kept of stdout and of stderr each; default 4 Mi. */
  maxOutput?: number;
};

export class RunError extends Error {
  readonly command: readonly string[];
  /** null: killed by a signal, by the time limit, or never started. */
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly stdout: string;
  readonly reason: 'exit' | 'timeout' | 'missing' | 'spawn';

  constructor(
    command: readonly string[],
    reason: RunError['reason'],
    exitCode: number | null,
    stdout: string,
    stderr: string,
  ) {
    super(
      reason === 'missing'
        ? `${command[0]}: program not found`
        : `${command.slice(0, 4).join(' ')} … ${reason === 'timeout' ? 'ran into its time limit' : `exited with ${exitCode}`}: ${stderr.trim().slice(0, 500)}`,
    );
    this.name = 'RunError';
    this.command = command;
    this.reason = reason;
    this.exitCode = exitCode;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** Runs `command` to its end and returns what it printed. Throws RunError unless it exits with 0. */
export function run(
  command: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  const limit = options.maxOutput ?? 4 * 1024 * 1024;
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), {
      // A group of its own, so that the time limit ends also what the program started.
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
      // What left the group may hold the pipes open for ever.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, options.timeoutMs ?? 30_000);
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (stdout.length < limit) stdout += chunk.slice(0, limit - stdout.length);
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      if (stderr.length < limit) stderr += chunk.slice(0, limit - stderr.length);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const missing = error.code === 'ENOENT';
      reject(
        new RunError(command, missing ? 'missing' : 'spawn', null, stdout, missing ? '' : String(error)),
      );
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0 && !timedOut) resolve({ stdout, stderr });
      else reject(new RunError(command, timedOut ? 'timeout' : 'exit', code, stdout, stderr));
    });
    if (options.input !== undefined) {
      child.stdin?.on('error', () => {}); // the program may end without reading; its exit code says so
      child.stdin?.end(options.input);
    }
  });
}
