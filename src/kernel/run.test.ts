// Running programs: limits hold whatever the program, or what it started, does.
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { run, type RunError } from './run.ts';

const failure = (promise: Promise<unknown>): Promise<RunError> =>
  promise.then(
    () => {
      throw new Error('it ended well');
    },
    (error: unknown) => error as RunError,
  );

it('returns what a program printed, and hands it its input', async () => {
  expect(await run(['cat'], { input: 'hello' })).toEqual({ stdout: 'hello', stderr: '' });
  expect((await run(['true'], { input: 'x'.repeat(1_000_000) })).stdout).toBe('');
});

it('tells a missing program from one that fails', async () => {
  expect(await failure(run(['no-such-program-here']))).toMatchObject({ reason: 'missing', exitCode: null });
  const failed = await failure(run(['sh', '-c', 'echo out; echo why >&2; exit 3']));
  expect(failed).toMatchObject({ reason: 'exit', exitCode: 3, stdout: 'out\n', stderr: 'why\n' });
  expect(failed.message).toContain('exited with 3: why');
  expect((await failure(run(['sh', '-c', 'kill -9 $$']))).exitCode).toBe(null);
});

it('ends a program at its time limit, and what it started too', async () => {
  const started = Date.now();
  const error = await failure(run(['sh', '-c', 'sleep 97531 & echo $!; wait'], { timeoutMs: 200 }));
  expect(error.reason).toBe('timeout');
  expect(Date.now() - started).toBeLessThan(3000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // Dead, though nobody may have reaped it yet.
  const state = existsSync(`/proc/${error.stdout.trim()}/stat`)
    ? readFileSync(`/proc/${error.stdout.trim()}/stat`, 'utf8').split(' ')[2]
    : 'gone';
  expect(['Z', 'X', 'gone']).toContain(state);
});

it('ends at the time limit also when a process that left the group holds the pipes', async () => {
  const started = Date.now();
  const error = await failure(run(['sh', '-c', 'setsid sleep 5 & wait; sleep 97532'], { timeoutMs: 200 }));
  expect(error.reason).toBe('timeout');
  expect(Date.now() - started).toBeLessThan(3000);
});

it('keeps no more output than asked for, and lets the program end', async () => {
  const { stdout } = await run(['sh', '-c', 'yes | head -c 3000000'], { maxOutput: 1000 });
  expect(stdout.length).toBe(1000);
});
