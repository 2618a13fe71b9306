// What the documentation tells users to type, typed: the console blocks of docs/operate in their order, in one shell, by
// Debian's unpatched client against a fresh cloud.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCloud, type Cloud } from '../cloud.ts';
import { consoleCommands, missingIn, type Command } from './console-blocks.ts';

const DOCS = join(import.meta.dirname, '..', '..', 'docs', 'operate');
const CLIENT = join(import.meta.dirname, 'openstack-command.py');
/** For one command, and for what it shows to come true. */
const LIMIT_MS = 180_000;
const AGAIN_MS = 1_000;

let cloud: Cloud;
let dir: string;
let client: ChildProcess;
let shell: ChildProcess;
let output = '';
let changed = (): void => {};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'strata-docs-'));
  cloud = await startCloud();
  client = spawn('/usr/bin/python3', [CLIENT, join(dir, 'socket')], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (client.stdout !== null) await once(createInterface({ input: client.stdout }), 'line');
  shell = spawn('bash', ['--norc'], {
    cwd: dir,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: `${dir}:${process.env['PATH']}`,
      HOME: dir,
      DATA_DIR: cloud.dataDir,
      OPENSTACK_SOCKET: join(dir, 'socket'),
    },
  });
  for (const stream of [shell.stdout, shell.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      changed();
    });
  copyFileSync(CLIENT, join(dir, 'openstack'));
  chmodSync(join(dir, 'openstack'), 0o755);
}, 300_000);

afterAll(async () => {
  shell?.kill('SIGKILL');
  client?.kill('SIGKILL');
  await cloud?.teardown();
  rmSync(dir, { recursive: true, force: true });
}, 180_000);

/** Types it into the one shell; it reads nothing: what comes next is not its input. */
async function type(text: string): Promise<{ code: number; output: string }> {
  output = '';
  const ended = Promise.withResolvers<number>();
  changed = () => {
    const mark = /\0(\d+)\0/.exec(output);
    if (mark !== null) ended.resolve(Number(mark[1]));
  };
  shell.stdin?.write(`{ ${text}\n} </dev/null\nprintf '\\0%d\\0' $?\n`);
  const timer = setTimeout(() => ended.reject(new Error(`${text} does not end:\n${output}`)), LIMIT_MS);
  const code = await ended.promise.finally(() => clearTimeout(timer));
  return { code, output: output.replace(/\0\d+\0/, '') };
}

/** A command that only asks is repeated until it shows what the page says. */
const onlyAsks = (text: string): boolean => /^(openstack|env) (.* )?(show|list)\b/.test(text);

async function follow(command: Command): Promise<void> {
  const giveUp = Date.now() + LIMIT_MS;
  for (;;) {
    const result = await type(command.text);
    const missing = missingIn(result.output, command.shows);
    if (result.code === 0 && missing === null) return;
    if (onlyAsks(command.text) && Date.now() < giveUp && (result.code === 0 || command.shows.length > 0)) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      continue;
    }
    throw new Error(
      `line ${command.line}: $ ${command.text}\nended with ${result.code}${missing === null ? '' : `, and does not show ${missing}`}:\n${result.output}`,
    );
  }
}

describe('docs/operate/using.md', () => {
  const commands = consoleCommands(readFileSync(join(DOCS, 'using.md'), 'utf8'));
  let broken = false;
  for (const heading of new Set(commands.map((command) => command.heading)))
    it(
      heading,
      async () => {
        // Later sections go on with what earlier ones made.
        expect(broken, 'an earlier section ended early').toBe(false);
        broken = true;
        for (const command of commands) if (command.heading === heading) await follow(command);
        broken = false;
      },
      600_000,
    );
});
