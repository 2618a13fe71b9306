// ./up and ./strata teardown as a user meets them: the demo, a stop that disturbs nothing, a start that adopts,
// two clouds on one machine, and a teardown that leaves no trace.
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, startCloud, traces, type Cloud } from '../cloud.ts';

const clouds: Cloud[] = [];
const open = async (...args: string[]): Promise<Cloud> => {
  const cloud = await startCloud(...args);
  clouds.push(cloud);
  return cloud;
};

afterEach(async () => {
  for (const cloud of clouds.splice(0)) await cloud.teardown();
}, 120_000);

type Server = { id: string; name: string; status: string };

async function incarnations(cloud: Cloud): Promise<string[]> {
  const lines = await traces(cloud.cloudId, cloud.dataDir);
  return lines
    .filter((line) => /qemu-system|conmon/.test(line))
    .map((line) => line.split(':')[0] ?? '')
    .sort();
}

describe('./up', () => {
  it('runs the demo, stops in under five seconds without disturbing guests, adopts them, and is torn down without a trace', async () => {
    const cloud = await open('--demo');
    await eventually('the demo', 150, async () => cloud.output().includes('The cloud keeps running'));
    expect(cloud.output()).toMatch(/demo-vm pings demo-container at \S+: ok/);
    expect(cloud.output()).toMatch(/demo-container pings demo-vm at \S+: ok/);
    expect(statSync(join(cloud.dataDir, 'clouds.yaml')).mode & 0o777).toBe(0o600);
    const before = await incarnations(cloud);
    expect(before.length).toBeGreaterThanOrEqual(2);

    expect(await cloud.stop()).toBeLessThan(5_000);
    expect(cloud.output()).not.toContain('stopping took too long');
    expect(await incarnations(cloud)).toEqual(before);

    await cloud.start();
    const api = await cloud.as('demo');
    const { servers } = await api.call<{ servers: Server[] }>('GET', '/compute/v2.1/servers/detail');
    expect(servers.map((server) => [server.name, server.status]).sort()).toEqual([
      ['demo-container', 'ACTIVE'],
      ['demo-vm', 'ACTIVE'],
    ]);
    expect(await incarnations(cloud)).toEqual(before);
    expect((await fetch(`${cloud.url}/healthz`)).status).toBe(200);

    const { cloudId, dataDir } = cloud;
    expect((await traces(cloudId, dataDir)).length).toBeGreaterThan(5);
    const removed = await cloud.teardown();
    expect(removed).toContain('removed');
    expect(await traces(cloudId, dataDir)).toEqual([]);
  });

  it('stops at once and without a complaint also while the demo makes its servers', async () => {
    const cloud = await open('--demo');
    await eventually('the demo', 60, async () => cloud.output().includes('demo-container: asked for'));
    await cloud.stop();
    expect(cloud.output()).not.toMatch(/stopping took too long|did not finish/);
    await cloud.start('--demo');
    await eventually('the demo', 150, async () => cloud.output().includes('The cloud keeps running'));
  }, 240_000);

  it('refuses a second start on the same data dir, and runs a second cloud on another', async () => {
    const one = await open();
    await expect(startCloudOn(one)).rejects.toThrow(/already runs/);
    const other = await open();
    expect(other.url).not.toBe(one.url);
    expect(other.cloudId).not.toBe(one.cloudId);
    await other.teardown();
    expect((await fetch(`${one.url}/healthz`)).status).toBe(200);
    expect((await traces(one.cloudId, one.dataDir)).length).toBeGreaterThan(0);
  });

  it('gives up a port that nobody asked for when another program has it, but never one that was asked for', async () => {
    const cloud = await open();
    const { port } = new URL(cloud.url);
    await cloud.stop();
    const other = createServer().listen(Number(port), '127.0.0.1');
    // Whoever has it, has it: on a busy machine that may be another cloud already.
    await once(other, 'listening').catch(() => {});
    try {
      await cloud.start();
      expect(new URL(cloud.url).port).not.toBe(port);
      await (await cloud.as('demo')).call('GET', '/compute/v2.1/servers');
      await cloud.stop();
      await expect(cloud.start('--listen', `127.0.0.1:${port}`)).rejects.toThrow(/in use by another program/);
    } finally {
      other.close();
    }
  });

  it('refuses to listen beyond loopback without TLS, and serves TLS with a pair of its own', async () => {
    await expect(open('--listen', '0.0.0.0:0')).rejects.toThrow(/not a loopback address/);
    const cloud = await open('--tls-self-signed');
    expect(cloud.url).toMatch(/^https:/);
  });
});

/** A second process on the data dir of a cloud that runs. */
async function startCloudOn(cloud: Cloud): Promise<void> {
  const { run } = await import('../../src/kernel/run.ts');
  await run([join(import.meta.dirname, '..', '..', 'up'), '--data-dir', cloud.dataDir], {
    timeoutMs: 30_000,
  });
}
