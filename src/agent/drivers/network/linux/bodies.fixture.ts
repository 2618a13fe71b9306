// Arbitrary bodies for property tests: everything that passes the protocol's schema, hostile strings included.
import fc from 'fast-check';
import type {
  AddressGroupBody,
  NetworkBody,
  PortBody,
  RouterBody,
  SecurityGroupBody,
} from '../../../../protocol/items.ts';

const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: digits, maxLength: digits })
    .map((values) => values.map((value) => value.toString(16)).join(''));
export const anyId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$/);
export const anyMac = fc.array(hex(2), { minLength: 6, maxLength: 6 }).map((parts) => parts.join(':'));
const hostile = fc.constantFrom(
  '',
  '10.0.0.1\ndhcp-script=/bin/sh',
  '1.2.3.4,5.6.7.8',
  '10.0.0.0/24 } accept',
  '-x',
  '"',
  '0x7f.1',
  '10.1',
  '::1%lo',
  '010.0.0.1',
  '10.0.0.1/8/8',
  '@sge_x',
  '10.0.0.0/-1',
  '1e1.0.0.1',
);
const address4 = fc.ipV4();
const address6 = fc.ipV6();
const good = fc.oneof(address4, address6);
const cidr4 = fc.tuple(address4, fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`);
const cidr6 = fc.tuple(address6, fc.integer({ min: 0, max: 128 })).map(([ip, length]) => `${ip}/${length}`);
/** Mostly sound, sometimes what an attacker would send. */
const mixed = (sound: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 40, arbitrary: sound },
    { weight: 1, arbitrary: hostile },
    { weight: 1, arbitrary: fc.string({ maxLength: 45 }) },
  );
const plain = fc
  .oneof(fc.stringMatching(/^[a-z0-9-]{1,70}$/), fc.string({ maxLength: 60 }))
  .filter((text) => [...text].every((character) => character >= ' ' && character !== '\u007f'));
const nullable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });

export const anyPort: fc.Arbitrary<PortBody> = fc.record(
  {
    networkId: anyId,
    mac: anyMac,
    fixedIps: fc.array(fc.record({ subnetId: anyId, ipAddress: mixed(good) }), { maxLength: 4 }),
    allowedAddressPairs: fc.array(
      fc.record(
        { ipAddress: mixed(fc.oneof(cidr4, cidr6, good)), mac: anyMac },
        { requiredKeys: ['ipAddress'] },
      ),
      { maxLength: 5 },
    ),
    portSecurity: fc.boolean(),
    securityGroupIds: fc.array(anyId, { maxLength: 3 }),
    adminUp: fc.boolean(),
    hostname: plain,
    serverId: anyId,
    plug: fc.constantFrom('tap' as const, 'netns' as const),
    egressKbps: fc.integer({ min: 1, max: 100_000_000 }),
    ingressKbps: fc.integer({ min: 1, max: 100_000_000 }),
  },
  {
    requiredKeys: [
      'networkId',
      'mac',
      'fixedIps',
      'allowedAddressPairs',
      'portSecurity',
      'securityGroupIds',
      'adminUp',
      'hostname',
      'serverId',
      'plug',
    ],
  },
) as fc.Arbitrary<PortBody>;

export const anySecurityGroup: fc.Arbitrary<SecurityGroupBody> = fc.record({
  stateful: fc.boolean(),
  rules: fc.array(
    fc.constantFrom('IPv4' as const, 'IPv6' as const).chain((ethertype) =>
      fc.record({
        id: anyId,
        direction: fc.constantFrom('ingress' as const, 'egress' as const),
        ethertype: fc.constant(ethertype),
        protocol: nullable(
          fc.oneof(fc.constantFrom(1, 6, 17, 33, 58, 132, 136), fc.integer({ min: 0, max: 255 })),
        ),
        portMin: nullable(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 65_535 }))),
        portMax: nullable(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 65_535 }))),
        remoteCidr: nullable(mixed(ethertype === 'IPv4' ? cidr4 : cidr6)),
        remoteGroupId: nullable(fc.constantFrom('group-a', 'Group.b-2')),
      }),
    ),
    { maxLength: 4 },
  ),
});

export const anyAddressGroup: fc.Arbitrary<AddressGroupBody> = fc.record({
  addresses: fc.array(mixed(fc.oneof(good, cidr4, cidr6)), { maxLength: 12 }),
});

export const anyNetwork: fc.Arbitrary<NetworkBody> = fc.record({
  segment: fc.integer({ min: 1, max: 16_777_215 }),
  mtu: fc.integer({ min: 576, max: 9216 }),
  external: fc.boolean(),
  adminUp: fc.boolean(),
  subnets: fc.array(
    fc.record({
      id: anyId,
      ipVersion: fc.constantFrom(4 as const, 6 as const),
      cidr: mixed(
        fc.tuple(address4, fc.integer({ min: 1, max: 4 })).map(([ip, length]) => `${ip}/${length}`),
      ),
      gatewayIp: nullable(mixed(address4)),
      enableDhcp: fc.boolean(),
      dhcpIp: nullable(mixed(address4)),
      dhcpMac: nullable(anyMac),
      dnsNameservers: fc.array(mixed(good), { maxLength: 3 }),
      hostRoutes: fc.array(fc.record({ destination: mixed(cidr4), nexthop: mixed(address4) }), {
        maxLength: 2,
      }),
    }),
    { maxLength: 2 },
  ),
});

/** Few, so that ranges are often sound. */
const anyPortNumber = fc.integer({ min: 1, max: 12 });

export const anyRouter: fc.Arbitrary<RouterBody> = fc.record({
  adminUp: fc.boolean(),
  interfaces: fc.constant([]),
  gateway: nullable(
    fc.record({
      portId: anyId,
      networkId: anyId,
      mac: anyMac,
      addresses: fc.array(mixed(cidr4), { maxLength: 2 }),
      nexthop: nullable(mixed(address4)),
      snat: fc.boolean(),
    }),
  ),
  floatingIps: fc.array(
    fc.record({ id: anyId, floatingAddress: mixed(address4), fixedAddress: mixed(address4) }),
    { maxLength: 5 },
  ),
  portForwardings: fc.array(
    fc.record({
      floatingIpId: anyId,
      floatingAddress: mixed(address4),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      externalFirst: anyPortNumber,
      externalLast: anyPortNumber,
      internalAddress: mixed(address4),
      internalFirst: anyPortNumber,
      internalLast: anyPortNumber,
    }),
    { maxLength: 3 },
  ),
  routes: fc.constant([]),
});
