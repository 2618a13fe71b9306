// Bandwidth limits as tc lines, for a port of the switch and for the floating addresses of a router. What leaves a
// device is shaped there; what comes in is redirected to an ifb and shaped on it (this kernel may lack `police`).
import type { PortBody, RouterBody } from '../../../../protocol/items.ts';
import { address } from './addresses.ts';

export type Shaping = { removals: string[]; additions: string[]; ifb: boolean };

/** Bytes: at least one 64 KiB segment (GSO), 10 ms of the rate, and what was asked for in kbit. */
const burstOf = (kbps: number, burstKb = 0): number =>
  Math.max(65_536, Math.ceil((kbps * 1000) / 8 / 100), Math.ceil((burstKb * 1000) / 8));

const tbf = (kbps: number, burstKb: number | undefined): string =>
  `tbf rate ${kbps}kbit burst ${burstOf(kbps, burstKb)} latency 50ms`;

const redirect = (device: string, match: string, ifb: string): string =>
  `filter add dev ${device} parent ffff: ${match} action mirred egress redirect dev ${ifb}`;

export function shaping(device: string, ifb: string, body: PortBody): Shaping {
  const { egressKbps, ingressKbps } = body;
  return {
    removals: [`qdisc del dev ${device} root`, `qdisc del dev ${device} ingress`],
    additions: [
      ...(ingressKbps === undefined
        ? []
        : [`qdisc add dev ${device} root ${tbf(ingressKbps, body.ingressBurstKb)}`]),
      ...(egressKbps === undefined
        ? []
        : [
            `qdisc replace dev ${ifb} root ${tbf(egressKbps, body.egressBurstKb)}`,
            `qdisc add dev ${device} handle ffff: ingress`,
            redirect(device, 'protocol all prio 1 u32 match u32 0 0', ifb),
          ]),
    ],
    ifb: egressKbps !== undefined,
  };
}

type AddressLimits = NonNullable<RouterBody['addressLimits']>;

/** A class for each address; what matches none passes unshaped. Addresses are seen before they are translated in, and after out. */
function classes(
  device: string,
  side: 'src' | 'dst',
  limits: readonly { address: string; kbps: number; burstKb: number | undefined }[],
): string[] {
  if (limits.length === 0) return [];
  return [
    `qdisc add dev ${device} root handle 1: htb`,
    ...limits.flatMap(({ address: ip, kbps, burstKb }, at) => {
      const burst = burstOf(kbps, burstKb);
      const id = `1:${(at + 1).toString(16)}`;
      return [
        `class add dev ${device} parent 1: classid ${id} htb rate ${kbps}kbit burst ${burst} cburst ${burst}`,
        `filter add dev ${device} parent 1: protocol ip prio 1 u32 match ip ${side} ${ip}/32 flowid ${id}`,
      ];
    }),
  ];
}

/** Limits of floating addresses at a router's gateway `device`. */
export function addressShaping(field: string, device: string, ifb: string, limits: AddressLimits): Shaping {
  const of = (side: 'ingress' | 'egress') =>
    limits.flatMap((one) => {
      const kbps = one[`${side}Kbps`];
      const ip = address(`${field}: limited address`, one.address, 4);
      return kbps === undefined ? [] : [{ address: ip, kbps, burstKb: one[`${side}BurstKb`] }];
    });
  const [out, into] = [of('egress'), of('ingress')];
  return {
    removals: [
      `qdisc del dev ${device} root`,
      `qdisc del dev ${device} ingress`,
      `qdisc del dev ${ifb} root`,
    ],
    additions: [
      ...classes(device, 'src', out),
      ...classes(ifb, 'dst', into),
      ...(into.length === 0 ? [] : [`qdisc add dev ${device} handle ffff: ingress`]),
      ...into.map((one) => redirect(device, `protocol ip prio 1 u32 match ip dst ${one.address}/32`, ifb)),
    ],
    ifb: into.length > 0,
  };
}
