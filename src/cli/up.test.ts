// What ./up says when it cannot start: one line that names what is wrong, and an exit code; never a stack.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { up, type UpOptions } from './up.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'strata-up-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const main = join(import.meta.dirname, '..', 'main.ts');
function complaint(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([status, stdout], stderr).toEqual([1, '']);
  const [first = '', ...more] = stderr.trimEnd().split('\n');
  // Of what is wrong with the command line itself, a second line says where help is.
  expect(
    more.filter((line) => !line.startsWith('(strata --help')),
    stderr,
  ).toEqual([]);
  return first;
}

it('names the option and the rule when the command line is wrong', () => {
  expect(complaint('up', '--nope')).toContain("unknown option '--nope'");
  expect(complaint('up', 'extra')).toContain('extra');
  expect(complaint('up', '--data-dir', '')).toContain('must not be empty');
  expect(complaint('up', '--log-level', 'loud')).toContain('debug, info, warn, error, silent');
  for (const address of ['foo', '127.0.0.1', '127.0.0.1:99999', ':1', '[::1:80'])
    expect(complaint('up', '--listen', address), address).toContain('ADDRESS:PORT');
});

/** In this process, which is faster: what `up` says and answers. */
async function refusal(options: Partial<UpOptions>): Promise<string> {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    expect(await up({ dataDir: join(dir, 'cloud'), logLevel: 'warn', ...options })).toBe(1);
    const lines = said.mock.calls.map(([text]) => String(text));
    expect([lines.length, lines[0]?.indexOf('\n')], lines.join('')).toEqual([1, (lines[0]?.length ?? 0) - 1]);
    return lines[0] ?? '';
  } finally {
    said.mockRestore();
  }
}

it('says in one line which file or address it cannot use', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  expect(await refusal({ listen: { host: '127.0.0.1', port } })).toContain('is in use by another program');
  taken.close();
  expect(await refusal({ listen: { host: '192.0.2.1', port: 8000 }, tlsSelfSigned: true })).toContain(
    'is no address of this machine',
  );
  expect(await refusal({ listen: { host: '0.0.0.0', port: 0 } })).toContain('not a loopback address');
  expect(await refusal({ tlsCert: '/none' })).toContain('go together');
  expect(await refusal({ tlsCert: '/none', tlsKey: '/none' })).toContain('--tls-cert: ENOENT');
  const junk = join(dir, 'junk');
  writeFileSync(junk, 'junk');
  expect(await refusal({ tlsCert: junk, tlsKey: junk })).toContain('not a certificate and its key');
  expect(await refusal({ dataDir: join(junk, 'below') })).toContain('cannot be used');
  writeFileSync(join(dir, 'cloud.json'), '{');
  expect(await refusal({ dataDir: dir })).toContain('is damaged');
  expect(complaint('teardown', '--data-dir', dir)).toContain('is damaged');
});
