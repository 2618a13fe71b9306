// ./test peers [--all] [--on DATA_DIR] [PATTERN...]: OpenStack's own suite, as Debian packages it, against ./up.
// Runs the names of tools/peers/lists (with --all: every installed test) that match one of the patterns, on a cloud of
// its own, or on the one that runs on DATA_DIR and stays.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { signIn } from '../../src/cli/api-client.ts';
import { run } from '../../src/kernel/run.ts';
import { startCloud, type Cloud } from '../../tests/cloud.ts';
import { configOf, ini } from './config.ts';
import { bareName, knownFailures, reasonOf, serviceOf, type Known } from './known.ts';

const HERE = import.meta.dirname;
const DOCS = join(HERE, '..', '..', 'docs', 'develop', 'peers.md');
const TEMPEST = '/usr/lib/python3/dist-packages/tempest';
const CONCURRENCY = 2;
/** Where images are downloaded from: a cloud that is started for many runs must know it before. */
const WEB_PORT = 8799;
const WEB = `http://127.0.0.1:${WEB_PORT}`;
/** What a cloud is started with, so that users may import from the web: from here, and from what is public. */
const CLOUD_OPTIONS = ['--images-from', WEB, '--images-from', 'http://*'];

type Result = { name: string; status: 'passed' | 'failed' | 'skipped'; seconds: number; message: string };
type Outcome = { file: string; name: string; message: string };

const required = (): string[] =>
  readdirSync(join(HERE, 'lists'))
    .toSorted()
    .flatMap((file) => readFileSync(join(HERE, 'lists', file), 'utf8').split('\n'))
    .filter((line) => line !== '');

/** What a traceback ends with: the exception and its message, without the frames. */
const ending = (text: string): string => {
  const lines = text.trim().split('\n');
  const end = lines.findLastIndex((line) => line.startsWith('  File ') || line.startsWith('    '));
  return (
    lines
      .slice(end + 1)
      .join(' ')
      .trim() ||
    (lines.at(-1) ?? '')
  );
};

const count = (results: Result[], status: Result['status']): number =>
  results.filter((one) => one.status === status).length;

/** An image on the web. Another run on this machine may offer it already. */
async function serveImage(): Promise<() => void> {
  const server = createServer((_, response) => void response.end(Buffer.alloc(2048, 'image ')));
  await new Promise<void>((ready, failed) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? ready() : failed(error),
    );
    server.listen(WEB_PORT, '127.0.0.1', ready);
  });
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

async function prepare(cloud: { url: string; dataDir: string }, work: string): Promise<NodeJS.ProcessEnv> {
  const clouds = parse(readFileSync(join(cloud.dataDir, 'clouds.yaml'), 'utf8')) as {
    clouds: { strata: { auth: { password: string } } };
  };
  const { password } = clouds.clouds.strata.auth;
  const api = await signIn(cloud.url, 'admin', password);
  await mkdir(join(work, 'locks'), { recursive: true });
  const config = await configOf({
    api,
    url: cloud.url,
    password,
    lockPath: join(work, 'locks'),
    web: `${WEB}/image`,
  });
  await writeFile(join(work, 'tempest.conf'), ini(config), { mode: 0o600 });
  // One worker runs a whole class: its fixtures are made once.
  await writeFile(
    join(work, '.stestr.conf'),
    `[DEFAULT]\ntest_path=${TEMPEST}/test_discover\ntop_dir=${TEMPEST}/..\ngroup_regex=([^\\.]*\\.)*\n`,
  );
  return { ...process.env, TEMPEST_CONFIG: 'tempest.conf', TEMPEST_CONFIG_DIR: work };
}

/** Runs the ids; a line a test as it ends. */
async function runTests(ids: string[], work: string, env: NodeJS.ProcessEnv): Promise<Result[]> {
  writeFileSync(join(work, 'list'), `${ids.join('\n')}\n`);
  const suite = spawn(
    'stestr',
    ['run', '--subunit', '--concurrency', String(CONCURRENCY), '--load-list', 'list'],
    { cwd: work, env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const reader = spawn('/usr/bin/python3', [join(HERE, 'results.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  suite.stdout.pipe(reader.stdin);
  const stop = (): void => void suite.kill('SIGTERM');
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const ended = once(suite, 'close');
  const results: Result[] = [];
  for await (const line of createInterface({ input: reader.stdout })) {
    const result = JSON.parse(line) as Result;
    result.name = bareName(result.name);
    results.push(result);
    console.log(
      `${result.status.padEnd(7)} ${result.seconds.toFixed(1).padStart(6)} s  ${result.name}${result.status === 'passed' ? '' : `  ${ending(result.message).slice(0, 300)}`}`,
    );
  }
  await ended;
  if (results.length === 0) throw new Error('stestr ended without a result');
  return results;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { all: { type: 'boolean' }, on: { type: 'string' } },
  });
  const everything = values.all === true;
  const patterns = positionals.map((pattern) => new RegExp(pattern));
  const wanted = (name: string): boolean =>
    patterns.length === 0 || patterns.some((pattern) => pattern.test(name));
  const work = mkdtempSync(join(tmpdir(), 'strata-peers-'));
  const cloud = values.on === undefined ? await startCloud(...CLOUD_OPTIONS) : runningCloud(values.on);
  const stopServing = await serveImage();
  let failed = true;
  try {
    const env = await prepare(cloud, work);
    await run(['stestr', 'init'], { cwd: work, env });
    const listed = (
      await run(['stestr', 'list'], { cwd: work, env, timeoutMs: 120_000, maxOutput: 16 * 1024 * 1024 })
    ).stdout
      .split('\n')
      .filter((line) => line.startsWith('tempest.'));
    const ids = new Map(listed.map((id) => [bareName(id), id]));
    const names = (everything ? [...ids.keys()] : required()).filter(wanted);
    const absent = names.filter((name) => !ids.has(name));
    const chosen = names.flatMap((name) => ids.get(name) ?? []);
    if (chosen.length === 0) throw new Error('no test matches');
    const results = await runTests(chosen, work, env);
    for (const name of absent)
      results.push({
        name,
        status: 'skipped',
        seconds: 0,
        message: 'the installed tempest does not have it',
      });
    failed = summarize(results, knownIn(everything));
    if (failed) console.log(`what the cloud printed: ${cloud.output().slice(-4000)}`);
    return failed ? 1 : 0;
  } finally {
    stopServing();
    await cloud.teardown();
    if (failed) console.log(`the suite's own log: ${work}/tempest.log`);
    else rmSync(work, { recursive: true, force: true });
  }
}

/** A cloud that somebody else started and will end. */
function runningCloud(dataDir: string): Pick<Cloud, 'dataDir' | 'url' | 'output' | 'teardown'> {
  const { host, port } = JSON.parse(readFileSync(join(dataDir, 'cloud.json'), 'utf8')) as {
    host: string;
    port: number;
  };
  return { dataDir, url: `http://${host}:${port}`, output: () => '', teardown: async () => '' };
}

function knownIn(everything: boolean): Known[] {
  const { required, wide } = knownFailures(readFileSync(DOCS, 'utf8'));
  return everything ? [...required, ...wide] : required;
}

/** Prints the sums and leaves the file for tools/test-summary.ts; true: something failed that is not a known failure. */
function summarize(results: Result[], known: readonly Known[]): boolean {
  const whyOf = (one: Result): string | undefined => reasonOf(known, one.name);
  const failures = results.filter((one) => one.status === 'failed');
  const fresh = failures.filter((one) => whyOf(one) === undefined);
  const healed = results.filter((one) => one.status === 'passed' && whyOf(one) !== undefined);
  const skipped: Outcome[] = results
    .filter((one) => one.status === 'skipped')
    .map((one) => ({ file: '', name: one.name, message: ending(one.message) || 'no reason given' }));
  for (const one of failures) {
    const reason = whyOf(one);
    if (reason !== undefined) skipped.push({ file: '', name: one.name, message: `known failure: ${reason}` });
  }
  console.log('\nservice     passed  failed  skipped');
  for (const service of [...new Set(results.map((one) => serviceOf(one.name)))].toSorted()) {
    const own = results.filter((one) => serviceOf(one.name) === service);
    console.log(
      `${service.padEnd(10)} ${[count(own, 'passed'), count(own, 'failed'), count(own, 'skipped')].map((n) => String(n).padStart(7)).join(' ')}`,
    );
  }
  for (const one of failures) console.log(`${whyOf(one) === undefined ? 'FAILED' : 'known '} ${one.name}`);
  for (const one of healed) console.log(`passes although docs/develop/peers.md lists it: ${one.name}`);
  const passed = count(results, 'passed');
  console.log(`${passed} passed, ${fresh.length} failed, ${skipped.length} skipped`);
  const directory = process.env['STRATA_TEST_RESULTS'];
  if (directory !== undefined) {
    const failedOutcomes = fresh.map((one): Outcome => ({
      file: '',
      name: one.name,
      message: ending(one.message),
    }));
    writeFileSync(
      join(directory, 'peers.tests.json'),
      JSON.stringify({ passed, failed: failedOutcomes, skipped }),
    );
  }
  return fresh.length > 0;
}

process.exitCode = await main(process.argv.slice(2));
