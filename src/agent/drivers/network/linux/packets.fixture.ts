// A small cloud on the real kernel for the packet tests, and ways to look into it. Each test file has its own.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { systemClock } from '../../../../kernel/clock.ts';
import { silentLog } from '../../../../kernel/log.ts';
import type { NetworkBody, ServerBody } from '../../../../protocol/items.ts';
import { egressRules, networkBody, portBody, ruleBody, subnetBody } from '../conformance.ts';
import type { MetadataSource, NetworkDriver } from '../driver.ts';
import { createLinuxNetworkDriver } from './driver.ts';
import { cloudNames } from './names.ts';
import { teardownLinuxNetwork } from './teardown.ts';

export const exec = promisify(execFile);
const cloudId = `t${randomBytes(4).toString('hex')}`;
/** 198.18.0.0/15 is for tests between networks (RFC 2544); each cloud of a run takes its own piece. */
export const external = `198.${18 + (randomBytes(1).readUInt8() % 2)}.${randomBytes(1).readUInt8()}`;
export const names = cloudNames(cloudId);
/** What guests told as their sealed passwords; the first is kept. */
export const passwords: string[] = [];
/** A driver of this cloud, as a new process would make it. */
export const createDriver = (): NetworkDriver =>
  createLinuxNetworkDriver({
    dataDir: '/nonexistent',
    cloudId,
    log: silentLog,
    clock: systemClock,
    externalCidr: `${external}.0/24`,
    guestUid: () => 65534,
    onPassword: async (serverId, sealed) => {
      passwords.push(`${serverId} ${sealed}`);
      return passwords.length === 1;
    },
  });

/** Runs a program in a namespace; null: it failed. */
export async function inside(ns: string, ...command: string[]): Promise<string | null> {
  try {
    return (await exec('ip', ['netns', 'exec', ns, ...command], { timeout: 15_000 })).stdout;
  } catch {
    return null;
  }
}
export const guest = (n: number | string): string => names.serverNs(`server-${n}`);
export const reaches = async (from: string, to: string): Promise<boolean> =>
  (await inside(from, 'ping', '-c', '1', '-W', '1', to)) !== null;
export const ruleset = async (ns: string): Promise<string> =>
  (await inside(ns, 'nft', 'list', 'ruleset')) ?? '';

const serverBody: ServerBody = {
  type: 'container',
  name: 'web one',
  hostname: 'web-one',
  projectId: 'project-1',
  userId: 'user-1',
  vcpus: 1,
  memoryMib: 64,
  rootGib: 0,
  image: {
    id: '70a599e0-31e7-49b7-b260-868f441e862b',
    diskFormat: 'raw',
    containerFormat: 'docker',
    hash: '0'.repeat(128),
    size: 1,
  },
  volumes: [],
  ports: [{ portId: 'port-1', mac: portBody(1).mac }],
  power: 'running',
  rebootCount: 0,
  rebootHard: false,
  rebuildCount: 0,
  resizeCount: 0,
  original: 'drop',
  properties: {},
  metadata: {
    availabilityZone: 'zone-1',
    meta: { role: 'web' },
    keys: [{ name: 'key-1', type: 'ssh', data: 'ssh-ed25519 AAAA' }],
    userData: Buffer.from('#!/bin/sh\necho hello\n').toString('base64'),
    createdAt: 0,
  },
};
export const metadata: MetadataSource = (networkId, sourceIp) =>
  networkId === 'network-1' && sourceIp === '10.20.0.11'
    ? { serverId: '8f2b1c3d-0000-4000-8000-000000000001', body: serverBody }
    : null;

type Rules = Parameters<typeof ruleBody>[1][];
export const applyGroup = (driver: NetworkDriver, id: string, ...rules: Rules): Promise<void> =>
  driver.ensureSecurityGroup(id, {
    stateful: true,
    rules: [...egressRules, ...rules.map((rule, i) => ruleBody(`rule-${i}`, rule))],
  });

export const external1: NetworkBody = networkBody({
  segment: 9,
  mtu: 1500,
  external: true,
  subnets: [
    subnetBody({
      id: 'external-subnet',
      cidr: `${external}.0/24`,
      gatewayIp: `${external}.1`,
      enableDhcp: false,
      dhcpIp: null,
      dhcpMac: null,
      dnsNameservers: [],
    }),
  ],
});
export const gateway = {
  portId: 'router-gateway',
  networkId: 'external',
  mac: 'fa:16:3e:00:02:fe',
  addresses: [`${external}.10/24`],
  nexthop: `${external}.1`,
  snat: true,
};

/** network-1 with two containers in group-1, which allows nothing in, and the external network. */
export async function setUp(): Promise<NetworkDriver> {
  const driver = createDriver();
  await driver.start(metadata);
  await driver.ensureNetwork('network-1', networkBody());
  await driver.ensureNetwork('external', external1);
  await driver.ensureAddressGroup('group-1', { addresses: ['10.20.0.11', '10.20.0.12'] });
  await applyGroup(driver, 'group-1');
  await driver.ensurePort('port-1', portBody(1));
  await driver.ensurePort('port-2', portBody(2));
  return driver;
}

export async function tearDown(driver: NetworkDriver): Promise<void> {
  await driver.close();
  await teardownLinuxNetwork({ dataDir: '/nonexistent', cloudId });
}
