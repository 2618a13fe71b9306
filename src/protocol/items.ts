// The desired state of a host: a set of items, each (kind, id, generation, body). Control compiles them
// from its rows, the agent keeps them on disk and converges the host towards them. Schemas only: this
// folder is the whole contract between control and agent.
import { Type, type Static } from 'typebox';
import { DhcpOption } from './dhcp-options.ts';

const id = Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' });
const cidr = Type.String({ maxLength: 49 });
const address = Type.String({ maxLength: 45 });
const mac = Type.String({ pattern: '^([0-9a-f]{2}:){5}[0-9a-f]{2}$' });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
/** Text that reaches a config file or command line: never a control character. */
const plain = Type.String({ maxLength: 1024, pattern: '^[^\\x00-\\x1f\\x7f]*$' });

/** How IPv6 guests come to their addresses (Neutron's ipv6_ra_mode and ipv6_address_mode). */
const Ipv6Mode = Type.Union([
  Type.Literal('slaac'),
  Type.Literal('dhcpv6-stateful'),
  Type.Literal('dhcpv6-stateless'),
]);

/** One subnet of a network, as DHCP and the routers need it. */
export const SubnetBody = Type.Object({
  id,
  ipVersion: Type.Union([Type.Literal(4), Type.Literal(6)]),
  cidr,
  /** null: the subnet has no gateway. */
  gatewayIp: Type.Union([address, Type.Null()]),
  enableDhcp: Type.Boolean(),
  /** Address and MAC under which DHCP and metadata answer; null while the subnet has no DHCP port. */
  dhcpIp: Type.Union([address, Type.Null()]),
  dhcpMac: Type.Union([mac, Type.Null()]),
  dnsNameservers: Type.Array(address),
  /** Who tells: a router of ours by advertisements, and DHCPv6 of ours; absent: nobody, or somebody outside. */
  ipv6RaMode: Type.Optional(Ipv6Mode),
  ipv6AddressMode: Type.Optional(Ipv6Mode),
  hostRoutes: Type.Array(Type.Object({ destination: cidr, nexthop: address })),
});
export type SubnetBody = Static<typeof SubnetBody>;

/** A layer-2 segment: one bridge on each host that has a port of it. */
export const NetworkBody = Type.Object({
  /** Unique in the cloud, 1..16777215; the VNI once networks span hosts. */
  segment: Type.Integer({ minimum: 1, maximum: 16_777_215 }),
  /** Bytes. */
  mtu: Type.Integer({ minimum: 576, maximum: 9216 }),
  external: Type.Boolean(),
  adminUp: Type.Boolean(),
  /** Without port security the whole network forwards unfiltered. */
  subnets: Type.Array(SubnetBody),
  /** Names of hosts on which operators serve DHCP themselves; absent: none. */
  noDhcpOn: Type.Optional(Type.Array(plain)),
});
export type NetworkBody = Static<typeof NetworkBody>;

/** A guest's network interface. Router and DHCP interfaces are part of the router and network items. */
export const PortBody = Type.Object({
  networkId: id,
  mac,
  fixedIps: Type.Array(Type.Object({ subnetId: id, ipAddress: address })),
  /** Further source addresses the guest may use; `mac` defaults to the port's own. */
  allowedAddressPairs: Type.Array(Type.Object({ ipAddress: cidr, mac: Type.Optional(mac) })),
  /** false: no anti-spoofing and no security groups on this port. */
  portSecurity: Type.Boolean(),
  securityGroupIds: Type.Array(id),
  adminUp: Type.Boolean(),
  hostname: plain,
  /** The guest that the port belongs to, and how it is plugged: a tap for QEMU, a veth into a namespace for a container. */
  serverId: id,
  plug: Type.Union([Type.Literal('tap'), Type.Literal('netns')]),
  /** Of this port alone, beside those of its network; absent: none. */
  dhcpOptions: Type.Optional(Type.Array(DhcpOption)),
  /** Bandwidth limits in kbit/s, seen from the guest; absent: none. */
  egressKbps: Type.Optional(Type.Integer({ minimum: 1 })),
  ingressKbps: Type.Optional(Type.Integer({ minimum: 1 })),
  /** kbit; absent: what suits the rate. */
  egressBurstKb: Type.Optional(Type.Integer({ minimum: 1 })),
  ingressBurstKb: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Put on what the guest sends (RFC 2474); absent: left as the guest has it. */
  dscpMark: Type.Optional(Type.Integer({ minimum: 0, maximum: 63 })),
});
export type PortBody = Static<typeof PortBody>;

/** One allow rule. Absent fields match anything, as in Neutron. */
export const SecurityGroupRuleBody = Type.Object({
  id,
  direction: Type.Union([Type.Literal('ingress'), Type.Literal('egress')]),
  ethertype: Type.Union([Type.Literal('IPv4'), Type.Literal('IPv6')]),
  /** IP protocol number 0..255; null: any. */
  protocol: Type.Union([Type.Integer({ minimum: 0, maximum: 255 }), Type.Null()]),
  /** TCP/UDP/SCTP: port range. ICMP: type in portMin, code in portMax. */
  portMin: Type.Union([Type.Integer({ minimum: 0, maximum: 65535 }), Type.Null()]),
  portMax: Type.Union([Type.Integer({ minimum: 0, maximum: 65535 }), Type.Null()]),
  remoteCidr: Type.Union([cidr, Type.Null()]),
  /** Members of this security group: the `address-group` item of the same id. */
  remoteGroupId: Type.Union([id, Type.Null()]),
});
export type SecurityGroupRuleBody = Static<typeof SecurityGroupRuleBody>;

export const SecurityGroupBody = Type.Object({
  stateful: Type.Boolean(),
  rules: Type.Array(SecurityGroupRuleBody),
});
export type SecurityGroupBody = Static<typeof SecurityGroupBody>;

/** The addresses of a security group's member ports, cloud-wide; id = the security group's id. */
export const AddressGroupBody = Type.Object({ addresses: Type.Array(cidr) });
export type AddressGroupBody = Static<typeof AddressGroupBody>;

/** A router: one namespace. */
export const RouterBody = Type.Object({
  adminUp: Type.Boolean(),
  interfaces: Type.Array(
    Type.Object({
      portId: id,
      networkId: id,
      mac,
      addresses: Type.Array(cidr) /* ip/prefixlen */,
      /** IPv6 subnets that the router advertises here. */
      advertise: Type.Optional(
        Type.Array(Type.Object({ cidr, mode: Ipv6Mode, dnsNameservers: Type.Array(address) })),
      ),
    }),
  ),
  /** null: no external gateway. */
  gateway: Type.Union([
    Type.Null(),
    Type.Object({
      portId: id,
      networkId: id,
      mac,
      addresses: Type.Array(cidr),
      /** The external subnet's gateway: the default route's next hop. */
      nexthop: Type.Union([address, Type.Null()]),
      /** The same for IPv6, where the external network has both. */
      nexthop6: Type.Optional(address),
      snat: Type.Boolean(),
    }),
  ]),
  floatingIps: Type.Array(Type.Object({ id, floatingAddress: address, fixedAddress: address })),
  /** Ports of floating addresses that lead to ports of guests: as many as outside in the same order, or all to one. */
  portForwardings: Type.Optional(
    Type.Array(
      Type.Object({
        floatingIpId: id,
        floatingAddress: address,
        protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
        externalFirst: port,
        externalLast: port,
        internalAddress: address,
        internalFirst: port,
        internalLast: port,
      }),
    ),
  ),
  /** Bandwidth limits of floating addresses in kbit/s and kbit, seen from the guest. */
  addressLimits: Type.Optional(
    Type.Array(
      Type.Object({
        address,
        egressKbps: Type.Optional(Type.Integer({ minimum: 1 })),
        egressBurstKb: Type.Optional(Type.Integer({ minimum: 1 })),
        ingressKbps: Type.Optional(Type.Integer({ minimum: 1 })),
        ingressBurstKb: Type.Optional(Type.Integer({ minimum: 1 })),
      }),
    ),
  ),
  routes: Type.Array(Type.Object({ destination: cidr, nexthop: address })),
});
export type RouterBody = Static<typeof RouterBody>;

/** What an image's content is, as hosts fetch and verify it. */
export const ImageRef = Type.Object({
  id,
  diskFormat: plain,
  containerFormat: plain,
  /** sha512 of the content, hex: the agent verifies its cached base against it. */
  hash: Type.String({ pattern: '^[0-9a-f]{128}$' }),
  /** Bytes of the content. */
  size: Type.Integer({ minimum: 0 }),
});
export type ImageRef = Static<typeof ImageRef>;

/** A block device that outlives servers. It only ever grows. */
export const VolumeBody = Type.Object({
  sizeGib: Type.Integer({ minimum: 1 }),
  /** What it is made of; null once it exists, so that nothing waits for what it was made of. */
  source: Type.Union([
    Type.Null(),
    Type.Object({ type: Type.Literal('image'), image: ImageRef }),
    Type.Object({ type: Type.Literal('volume'), id }),
    Type.Object({ type: Type.Literal('snapshot'), id }),
  ]),
  /** Grows by one with each requested return to a snapshot; the host returns when it differs from what it last did. */
  revertCount: Type.Integer({ minimum: 0 }),
  /** What to return to; null: never asked. */
  revertTo: Type.Union([id, Type.Null()]),
});
export type VolumeBody = Static<typeof VolumeBody>;

/** The content of a volume at one moment. */
export const SnapshotBody = Type.Object({ volumeId: id });
export type SnapshotBody = Static<typeof SnapshotBody>;

/** Limits of what a guest may ask of a volume: bytes and operations a second; `_max`: for bursts of a second. */
export const IO_LIMITS = [
  'total_bytes_sec',
  'read_bytes_sec',
  'write_bytes_sec',
  'total_iops_sec',
  'read_iops_sec',
  'write_iops_sec',
  'total_bytes_sec_max',
  'read_bytes_sec_max',
  'write_bytes_sec_max',
  'total_iops_sec_max',
  'read_iops_sec_max',
  'write_iops_sec_max',
] as const;
export type IoLimits = Partial<Record<(typeof IO_LIMITS)[number], number>>;
const IoLimits = Type.Partial(
  Type.Record(
    Type.Union(IO_LIMITS.map((name) => Type.Literal(name))),
    Type.Integer({ minimum: 1, maximum: 1_000_000_000_000_000 }),
  ),
);

/** A volume that a server has: plugged while the guest runs, or with its next start. */
export const ServerVolume = Type.Object({
  volumeId: id,
  /** As the guest is told to name it, e.g. '/dev/vdb'; only the order of the letters is honoured. */
  device: plain,
  readOnly: Type.Boolean(),
  /** The guest boots from it: it has no root disk of its own. */
  boot: Type.Boolean(),
  /** What its user calls it; absent: nothing. */
  tag: Type.Optional(plain),
  /** Absent: none. */
  limits: Type.Optional(IoLimits),
});
export type ServerVolume = Static<typeof ServerVolume>;

/** What a server boots from while its own disk is being repaired. */
export const Rescue = Type.Object({
  image: ImageRef,
  /** Its own disks keep their places, and this one comes last, on this bus; false: this one takes the place of the root. */
  stable: Type.Boolean(),
  device: Type.Union([Type.Literal('disk'), Type.Literal('cdrom')]),
  bus: Type.Union([Type.Literal('virtio'), Type.Literal('scsi'), Type.Literal('sata'), Type.Literal('usb')]),
});
export type Rescue = Static<typeof Rescue>;

export const PowerState = Type.Union([
  Type.Literal('running'),
  Type.Literal('stopped'),
  Type.Literal('paused'),
  Type.Literal('suspended'),
]);
export type PowerState = Static<typeof PowerState>;

/** A server: a QEMU guest (`vm`) or an OCI container (`container`). */
export const ServerBody = Type.Object({
  type: Type.Union([Type.Literal('vm'), Type.Literal('container')]),
  name: plain,
  hostname: plain,
  projectId: id,
  userId: id,
  vcpus: Type.Integer({ minimum: 1, maximum: 4096 }),
  memoryMib: Type.Integer({ minimum: 1 }),
  /** Root disk in GiB; 0: the image's own size. */
  rootGib: Type.Integer({ minimum: 0 }),
  /** null: the server boots from one of its volumes. */
  image: Type.Union([ImageRef, Type.Null()]),
  volumes: Type.Array(ServerVolume),
  /** Port ids in the order of the guest's interfaces. */
  ports: Type.Array(Type.Object({ portId: id, mac, tag: Type.Optional(plain) })),
  power: PowerState,
  /** Grows by one with each requested reboot; the agent reboots when it differs from what it last applied. */
  rebootCount: Type.Integer({ minimum: 0 }),
  rebootHard: Type.Boolean(),
  /** Grows by one with each requested rebuild: the root is made anew of `image` when it differs from what the guest was made with. */
  rebuildCount: Type.Integer({ minimum: 0 }),
  /** Grows by one with each requested resize and each return from one; the host does it when it differs from what it last did. */
  resizeCount: Type.Integer({ minimum: 0 }),
  /**
   * The root as it was before the last resize. keep: beside the resized one, until its user has decided; restore: it
   * is the root again, and what was written since is gone; drop: nobody will ask for it.
   */
  original: Type.Union([Type.Literal('keep'), Type.Literal('restore'), Type.Literal('drop')]),
  /** Absent: it boots as it is. Taken up, and left, by a reboot. */
  rescue: Type.Optional(Rescue),
  /** true: the guest has its metadata as a drive too. */
  configDrive: Type.Optional(Type.Boolean()),
  /** Files for the guest to put in place, on its config drive; contents in base64. */
  files: Type.Optional(Type.Array(Type.Object({ path: plain, contents: Type.String() }))),
  /** Allow-listed image and flavor properties that shape the guest (hw_*, os_*, strata:*). */
  properties: Type.Record(Type.String(), Type.String()),
  /** What the metadata service answers; kept with the item so that it answers while control is away. */
  metadata: Type.Object({
    availabilityZone: plain,
    meta: Type.Record(Type.String(), Type.String()),
    keys: Type.Array(Type.Object({ name: plain, type: Type.String(), data: Type.String() })),
    /** Base64, as the user sent it; null: none. */
    userData: Type.Union([Type.String(), Type.Null()]),
    /** Milliseconds since the epoch. */
    createdAt: Type.Integer(),
  }),
});
export type ServerBody = Static<typeof ServerBody>;

/** Every kind, in the order in which the agent creates; it removes in the reverse order. */
export const itemBodies = {
  network: NetworkBody,
  'address-group': AddressGroupBody,
  'security-group': SecurityGroupBody,
  router: RouterBody,
  port: PortBody,
  volume: VolumeBody,
  snapshot: SnapshotBody,
  server: ServerBody,
} as const;
export type ItemKind = keyof typeof itemBodies;
export type ItemBodies = { [K in ItemKind]: Static<(typeof itemBodies)[K]> };

/** One item of a host's desired state. `body: null` means: must not exist here. */
export type Item = {
  [K in ItemKind]: { kind: K; id: string; generation: number; body: ItemBodies[K] | null };
}[ItemKind];
export type ItemOf<K extends ItemKind> = Extract<Item, { kind: K }>;
