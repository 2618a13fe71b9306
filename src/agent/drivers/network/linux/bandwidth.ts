// Bandwidth limits of a port as tc lines. What goes to the guest is shaped by a tbf on its device in the
// switch; what comes from it is redirected to an ifb and shaped there (this kernel may lack `police`).
import type { PortBody } from '../../../../protocol/items.ts';

export type Shaping = { removals: string[]; additions: string[]; ifb: boolean };

/** At least one 64 KiB segment (GSO), or 10 ms of the rate. */
const tbf = (kbps: number): string =>
  `tbf rate ${kbps}kbit burst ${Math.max(65_536, Math.ceil((kbps * 1000) / 8 / 100))} latency 50ms`;

export function shaping(device: string, ifb: string, body: PortBody): Shaping {
  const { egressKbps, ingressKbps } = body;
  return {
    removals: [`qdisc del dev ${device} root`, `qdisc del dev ${device} ingress`],
    additions: [
      ...(ingressKbps === undefined ? [] : [`qdisc add dev ${device} root ${tbf(ingressKbps)}`]),
      ...(egressKbps === undefined
        ? []
        : [
            `qdisc replace dev ${ifb} root ${tbf(egressKbps)}`,
            `qdisc add dev ${device} handle ffff: ingress`,
            `filter add dev ${device} parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev ${ifb}`,
          ]),
    ],
    ifb: egressKbps !== undefined,
  };
}
