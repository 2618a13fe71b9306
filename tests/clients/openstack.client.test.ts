// The client scenario: Debian's unpatched `openstack` command against ./up, with a real VM and a real container.
import { createServer, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, RunError } from '../../src/kernel/run.ts';
import { eventually, startCloud, type Cloud } from '../cloud.ts';

let cloud: Cloud;
let dir: string;
let web: Server;
/** Source addresses from which the host's web server was asked. */
const askedFrom = new Set<string>();
let hostAddress: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'strata-client-'));
  cloud = await startCloud();
  const external = (
    JSON.parse(readFileSync(join(cloud.dataDir, 'cloud.json'), 'utf8')) as { externalCidr: string }
  ).externalCidr;
  hostAddress = external.replace('.0/24', '.1');
  web = createServer((request, response) => {
    askedFrom.add(request.socket.remoteAddress ?? '');
    response.end('outside\n');
  });
  await new Promise<void>((resolve) => web.listen(8099, hostAddress, resolve));
}, 300_000);

afterAll(async () => {
  web?.close();
  await cloud?.teardown();
  rmSync(dir, { recursive: true, force: true });
}, 180_000);

async function openstack(as: 'strata' | 'demo', ...args: string[]): Promise<string> {
  const { stdout } = await run(['openstack', ...args], {
    env: { ...process.env, OS_CLIENT_CONFIG_FILE: join(cloud.dataDir, 'clouds.yaml'), OS_CLOUD: as },
    timeoutMs: 180_000,
  });
  return stdout;
}
const json = async <T = Record<string, unknown>>(as: 'strata' | 'demo', ...args: string[]): Promise<T> =>
  JSON.parse(await openstack(as, ...args, '-f', 'json')) as T;
const names = (rows: Record<string, unknown>[]): unknown[] => rows.map((row) => row['Name']);

async function fetches(url: string): Promise<string | null> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).text();
  } catch {
    return null;
  }
}

describe('the openstack command', () => {
  it('issues a token, lists the catalog, shows versions', async () => {
    expect(await json('demo', 'token', 'issue')).toHaveProperty('project_id');
    const catalog = await json<Record<string, string>[]>('demo', 'catalog', 'list');
    expect(catalog.map((row) => row['Type'])).toEqual(
      expect.arrayContaining(['identity', 'compute', 'image', 'network', 'placement', 'audit']),
    );
    const versions = await json<Record<string, string>[]>('demo', 'versions', 'show');
    expect(versions.map((row) => row['Service Type'])).toEqual(
      expect.arrayContaining(['compute', 'identity', 'image', 'network']),
    );
  });

  it('creates a project and a user and gives it a role', async () => {
    await openstack('strata', 'project', 'create', 'team');
    await openstack('strata', 'user', 'create', '--project', 'team', '--password', 'a long password', 'ada');
    await openstack('strata', 'role', 'add', '--project', 'team', '--user', 'ada', 'member');
    const assignments = await json<Record<string, string>[]>(
      'strata',
      'role',
      'assignment',
      'list',
      '--user',
      'ada',
      '--names',
    );
    expect(assignments[0]).toMatchObject({ Role: 'member', Project: 'team@Default' });
  });

  it('uploads, lists, shows and saves an image', async () => {
    const source = join(dir, 'disk.qcow2');
    await run(['qemu-img', 'create', '-f', 'qcow2', source, '8M']);
    await openstack(
      'demo',
      'image',
      'create',
      '--disk-format',
      'qcow2',
      '--container-format',
      'bare',
      '--file',
      source,
      'uploaded',
    );
    expect(names(await json<Record<string, unknown>[]>('demo', 'image', 'list'))).toEqual(
      expect.arrayContaining(['uploaded', 'tiny', 'tiny-container']),
    );
    expect(await json('demo', 'image', 'show', 'uploaded')).toMatchObject({
      status: 'active',
      size: statSync(source).size,
      disk_format: 'qcow2',
    });
    await openstack('demo', 'image', 'save', '--file', join(dir, 'saved'), 'uploaded');
    expect(readFileSync(join(dir, 'saved')).equals(readFileSync(source))).toBe(true);
  });

  it('refuses a qcow2 with a backing file', async () => {
    const source = join(dir, 'evil.qcow2');
    await run(['qemu-img', 'create', '-f', 'qcow2', '-u', '-b', '/etc/passwd', '-F', 'raw', source, '8M']);
    await expect(
      openstack(
        'demo',
        'image',
        'create',
        '--disk-format',
        'qcow2',
        '--container-format',
        'bare',
        '--file',
        source,
        'evil',
      ),
    ).rejects.toThrow(/backing/);
  });

  it('creates a container image from an archive', async () => {
    const source = join(cloud.dataDir, 'builtin', 'tiny-container.tar');
    await openstack(
      'demo',
      'image',
      'create',
      '--disk-format',
      'raw',
      '--container-format',
      'docker',
      '--file',
      source,
      'my-container',
    );
    expect(await json('demo', 'image', 'show', 'my-container')).toMatchObject({
      status: 'active',
      container_format: 'docker',
    });
  });

  it('makes networks, subnets, groups, a router and quotas', async () => {
    await openstack('demo', 'network', 'create', 'net');
    await openstack(
      'demo',
      'subnet',
      'create',
      '--network',
      'net',
      '--subnet-range',
      '10.9.0.0/24',
      '--allocation-pool',
      'start=10.9.0.50,end=10.9.0.99',
      '--dns-nameserver',
      '10.9.0.53',
      'sub',
    );
    await openstack('demo', 'router', 'create', 'edge');
    await openstack('demo', 'router', 'add', 'subnet', 'edge', 'sub');
    await openstack('demo', 'router', 'set', '--external-gateway', 'public', 'edge');
    expect(await json('demo', 'router', 'show', 'edge')).toHaveProperty('external_gateway_info');
    await openstack('demo', 'security', 'group', 'create', 'open');
    await openstack('demo', 'security', 'group', 'rule', 'create', '--protocol', 'icmp', 'open');
    await openstack('strata', 'flavor', 'create', '--vcpus', '1', '--ram', '128', '--disk', '0', 'small');
    expect(names(await json<Record<string, unknown>[]>('demo', 'flavor', 'list'))).toContain('small');
    await openstack('strata', 'quota', 'set', '--instances', '7', 'demo');
    expect(JSON.stringify(await json('strata', 'quota', 'show', 'demo'))).toMatch(/instances/);
    expect(await openstack('strata', 'quota', 'show', 'demo', '-f', 'json')).toMatch(/7/);
    await openstack('demo', 'keypair', 'create', '--private-key', join(dir, 'key'), 'pair');
    await openstack('strata', 'hypervisor', 'list');
  });

  it('boots a VM and a container on one network, and both find their metadata and user data', async () => {
    const script = join(dir, 'user-data');
    writeFileSync(
      script,
      [
        '#!/bin/sh',
        'B=http://169.254.169.254',
        'echo "TEST id=$(timeout 5 wget -q -O - $B/latest/meta-data/instance-id)"',
        'echo "TEST meta=$(timeout 5 wget -q -O - $B/openstack/latest/meta_data.json | head -c 4000)"',
        'echo "TEST user=$(timeout 5 wget -q -O - $B/openstack/latest/user_data | head -n 1)"',
        `i=0; until timeout 5 wget -q -O - http://${hostAddress}:8099/ || [ $i -gt 30 ]; do i=$((i+1)); sleep 1; done`,
        'echo "TEST end"',
        '',
      ].join('\n'),
    );
    const common = [
      '--flavor',
      'small',
      '--network',
      'net',
      '--key-name',
      'pair',
      '--user-data',
      script,
      '--wait',
    ];
    await openstack('demo', 'server', 'create', '--image', 'tiny', '--property', 'tier=web', ...common, 'vm');
    await openstack('demo', 'server', 'create', '--image', 'my-container', ...common, 'box');
    for (const name of ['vm', 'box']) {
      const server = await json<{ id: string; status: string; addresses: Record<string, string[]> }>(
        'demo',
        'server',
        'show',
        name,
      );
      expect(server.status).toBe('ACTIVE');
      expect(Object.keys(server.addresses)).toEqual(['net']);
      const log = await eventually(`the user data of ${name}`, 90, async () => {
        const text = await openstack('demo', 'console', 'log', 'show', name);
        return text.includes('TEST end') ? text : null;
      });
      // The EC2 view has short ids, the OpenStack view the server's own.
      expect(log).toContain(`TEST id=i-${server.id.slice(0, 8)}`);
      expect(log).toContain(`"uuid":"${server.id}"`);
      expect(log).toContain('TEST user=#!/bin/sh');
    }
    // Through the router's SNAT: the host saw an address of the external network, never a tenant's.
    expect(askedFrom.size).toBeGreaterThan(0);
    for (const source of askedFrom)
      expect(source).toMatch(new RegExp(`^(::ffff:)?${hostAddress.replace(/\.1$/, '.')}`));
  });

  it('cuts servers off by the default group until a rule allows it, also on a floating IP', async () => {
    const floating: Record<string, string> = {};
    for (const name of ['vm', 'box']) {
      const { floating_ip_address } = await json<{ floating_ip_address: string }>(
        'demo',
        'floating',
        'ip',
        'create',
        'public',
      );
      floating[name] = floating_ip_address;
      const [port] = await json<{ ID: string }[]>('demo', 'port', 'list', '--server', name);
      await openstack('demo', 'floating', 'ip', 'set', '--port', port?.ID ?? '', floating_ip_address);
    }
    for (const name of ['vm', 'box'])
      expect(await fetches(`http://${floating[name]}/`), `${name} before the rule`).toBeNull();
    const [defaultGroup] = (
      await json<{ ID: string; Name: string }[]>('demo', 'security', 'group', 'list')
    ).filter((group) => group.Name === 'default');
    await openstack(
      'demo',
      'security',
      'group',
      'rule',
      'create',
      '--protocol',
      'tcp',
      '--dst-port',
      '80',
      defaultGroup?.ID ?? '',
    );
    for (const name of ['vm', 'box']) {
      const page = await eventually(`${name} on its floating IP`, 20, () =>
        fetches(`http://${floating[name]}/`),
      );
      expect(page).toMatch(/^ok i-[0-9a-f]{8}/);
    }
  });

  it('lists, stops, starts, reboots and deletes servers', async () => {
    expect(names(await json<Record<string, unknown>[]>('demo', 'server', 'list')).sort()).toEqual([
      'box',
      'vm',
    ]);
    for (const name of ['vm', 'box']) {
      await openstack('demo', 'server', 'stop', name);
      await eventually(
        `${name} stopped`,
        60,
        async () => (await json('demo', 'server', 'show', name))['status'] === 'SHUTOFF',
      );
      await openstack('demo', 'server', 'start', name);
      await eventually(
        `${name} started`,
        60,
        async () => (await json('demo', 'server', 'show', name))['status'] === 'ACTIVE',
      );
      await openstack('demo', 'server', 'reboot', '--hard', '--wait', name);
      expect((await json('demo', 'server', 'show', name))['status']).toBe('ACTIVE');
      await openstack('demo', 'server', 'delete', '--wait', name);
    }
    expect(await json('demo', 'server', 'list')).toEqual([]);
    await expect(openstack('demo', 'server', 'show', 'vm')).rejects.toBeInstanceOf(RunError);
  });
});
