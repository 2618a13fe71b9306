// Options that single ports get beside their network's, for dnsmasq. The hosts file must carry no tags (dhcp-text.ts
// says why), so the tag hangs on the MAC in the configuration, which is only read at the start: a change restarts.
import type { PortBody } from '../../../../protocol/items.ts';
import { DHCP_OPTION_VALUE, DHCP_OPTIONS, type DhcpOption } from '../../../../protocol/dhcp-options.ts';

/** The lines of one port; empty texts: it has none. */
export type PortOptions = { macs: string; options: string };

export const noPortOptions: PortOptions = { macs: '', options: '' };

const value = new RegExp(DHCP_OPTION_VALUE);
const number = /^\d{1,3}$/;

/** In DHCPv6 options dnsmasq wants addresses in brackets. */
const written = (one: DhcpOption): string =>
  one.ipVersion === 4
    ? one.value
    : one.value
        .split(',')
        .map((part) => (/^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(part) ? `[${part}]` : part))
        .join(',');

export function portOptions(portShort: string, port: PortBody): PortOptions {
  const lines = (port.dhcpOptions ?? []).flatMap((one) =>
    (DHCP_OPTIONS[one.ipVersion].includes(one.name) || number.test(one.name)) && value.test(one.value)
      ? [`tag:p${portShort},${one.ipVersion === 6 ? 'option6' : 'option'}:${one.name},${written(one)}\n`]
      : [],
  );
  return lines.length === 0
    ? noPortOptions
    : { macs: `dhcp-mac=set:p${portShort},${port.mac}\n`, options: lines.join('') };
}

/** The files as they were written, by port: what an earlier process left. */
export function parsePortOptions(macs: string, options: string): Map<string, PortOptions> {
  const out = new Map<string, PortOptions>();
  for (const line of macs.split('\n')) {
    const key = /^dhcp-mac=set:p([^,]+),/.exec(line)?.[1];
    if (key !== undefined) out.set(key, { macs: `${line}\n`, options: '' });
  }
  for (const line of options.split('\n')) {
    const key = /^tag:p([^,]+),/.exec(line)?.[1];
    const own = key === undefined ? undefined : out.get(key);
    if (own !== undefined) own.options += `${line}\n`;
  }
  return out;
}
