// A router's address translation as nft text. Pure. Floating IPs are two maps, consulted once a connection:
// changing them leaves every established flow alone.
import type { RouterBody } from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { address, interfaceAddress } from './addresses.ts';
import { routerGatewayOf } from './names.ts';

/** Set on packets that came in by the gateway: they keep their source address on the way to the guest. */
const fromOutside = 1;

export function routerRules(id: string, body: RouterBody): string {
  const { gateway } = body;
  const field = `Router ${id}`;
  if (gateway === null && body.floatingIps.length > 0)
    throw new DriverError(
      'refused',
      `${field}: floating IP ${body.floatingIps[0]?.floatingAddress} needs an external gateway.`,
    );
  const device = gateway === null ? null : routerGatewayOf(gateway.portId);
  const source = gateway?.addresses
    .map((text) => interfaceAddress(`${field}: gateway address`, text))
    .find(({ family }) => family === 4)?.address;
  const into = new Map<string, string>();
  const out = new Map<string, string>();
  for (const { floatingAddress, fixedAddress } of body.floatingIps) {
    const [floating, fixed] = [
      address(`${field}: floating IP`, floatingAddress, 4),
      address(`${field}: fixed address`, fixedAddress, 4),
    ];
    if (into.has(floating))
      throw new DriverError('refused', `${field}: floating IP ${floating} is given twice.`);
    into.set(floating, fixed);
    if (!out.has(fixed)) out.set(fixed, floating);
  }
  const elements = (name: string, entries: Map<string, string>): string =>
    entries.size === 0
      ? ''
      : `add element inet router ${name} { ${[...entries].map(([key, value]) => `${key} : ${value}`).join(', ')} }\n`;
  const outside: string[] = [];
  if (device !== null) {
    outside.push(`add rule inet router forward iifname "${device}" meta mark set ${fromOutside}`);
    // With SNAT the inside is private: only what a floating IP or a connection from inside calls for comes in.
    if (gateway?.snat === true)
      outside.push(
        `add rule inet router forward iifname "${device}" meta nfproto ipv4 ct state new ct status & dnat == 0 drop`,
      );
    outside.push(`add rule inet router postrouting oifname "${device}" snat ip to ip saddr map @floating_of`);
    if (gateway?.snat === true && source !== undefined)
      outside.push(
        `add rule inet router postrouting oifname "${device}" meta nfproto ipv4 snat ip to ${source}`,
      );
    // Hairpin: the answer must come back through here to be translated.
    outside.push(
      `add rule inet router postrouting ct status dnat meta mark != ${fromOutside} snat ip to ip saddr map @floating_of`,
    );
    if (source !== undefined)
      outside.push(
        `add rule inet router postrouting ct status dnat meta mark != ${fromOutside} meta nfproto ipv4 snat ip to ${source}`,
      );
  }
  return `add table inet router
add map inet router fixed_of { type ipv4_addr : ipv4_addr; }
add map inet router floating_of { type ipv4_addr : ipv4_addr; }
add chain inet router prerouting { type nat hook prerouting priority -100; policy accept; }
add chain inet router forward { type filter hook forward priority 0; policy accept; }
add chain inet router postrouting { type nat hook postrouting priority 100; policy accept; }
flush chain inet router prerouting
flush chain inet router forward
flush chain inet router postrouting
flush map inet router fixed_of
flush map inet router floating_of
${elements('fixed_of', into)}${elements('floating_of', out)}add rule inet router prerouting dnat ip to ip daddr map @fixed_of
${outside.map((rule) => `${rule}\n`).join('')}`;
}
