// The lock of a data dir: one process at a time, also when several start at the same moment over a stale lock.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockDataDir, readCloudFile, runningPid, UsageError, writeCloudsYaml } from './data-dir.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'strata-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('refuses a second start while the first runs, takes over a stale lock, and leaves no files', async () => {
  writeFileSync(join(dir, 'lock'), '999999 1');
  const release = await lockDataDir(dir);
  expect(await runningPid(dir)).toBe(process.pid);
  await expect(lockDataDir(dir)).rejects.toThrow(UsageError);
  await release();
  expect([await runningPid(dir), readdirSync(dir)]).toEqual([null, []]);
});

it('says that a damaged description of a cloud is damaged', async () => {
  expect(await readCloudFile(dir)).toBe(null);
  for (const text of ['{', '{}', '{"cloudId":"../x","host":"h","port":1,"externalCidr":"c"}']) {
    writeFileSync(join(dir, 'cloud.json'), text);
    await expect(readCloudFile(dir)).rejects.toThrow('is damaged');
  }
});

it('makes passwords once and keeps them', async () => {
  const first = await writeCloudsYaml(dir, 'http://127.0.0.1:1', 'RegionOne', null);
  expect(await writeCloudsYaml(dir, 'http://127.0.0.1:2', 'RegionOne', null)).toEqual(first);
  expect(first.admin).not.toBe(first.demo);
});

it('says in one line why a data dir cannot be used, also where a directory takes no entries', async () => {
  writeFileSync(join(dir, 'file'), '');
  for (const path of [join(dir, 'file', 'below'), join(dir, 'file'), '/proc/strata', '/proc/strata/below'])
    await expect(lockDataDir(path), path).rejects.toThrow(/^The data dir .* cannot be used: [^\n]*$/);
});

it('keeps a damaged credentials file as it is and says so', async () => {
  writeFileSync(join(dir, 'clouds.yaml'), 'clouds: [\n');
  await expect(writeCloudsYaml(dir, 'http://127.0.0.1:1', 'RegionOne', null)).rejects.toThrow(
    /clouds.yaml is damaged: [^\n]*$/,
  );
  expect(readFileSync(join(dir, 'clouds.yaml'), 'utf8')).toBe('clouds: [\n');
});
