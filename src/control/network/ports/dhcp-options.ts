// Extra DHCP options of a port: what may be asked for, and how a change joins what is there.
import { Type, type Static } from 'typebox';
import type { Migration } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import { nullable, strict, text } from '../../../kernel/schema.ts';
import { DHCP_OPTIONS, DHCP_OPTION_VALUE, type DhcpOption } from '../../../protocol/dhcp-options.ts';

export const portOptionMigration: Migration = {
  id: 'network-0025-port-dhcp-options',
  async up(db) {
    await db.schema
      .alterTable('ports')
      .addColumn('extra_dhcp_opts', 'text', (c) => c.notNull().defaultTo('[]'))
      .execute();
  },
};

export const extraDhcpOpts = nullable(
  Type.Array(
    strict({
      opt_name: text(64, 1),
      /** null: takes the option away. */
      opt_value: nullable(text(255)),
      ip_version: Type.Optional(
        Type.Union([Type.Literal(4), Type.Literal(6), Type.Literal('4'), Type.Literal('6')]),
      ),
    }),
    { maxItems: 64 },
  ),
);
type Asked = Static<typeof extraDhcpOpts>;

/** A name that DHCP knows, or the number of an option that guests may be sent. */
function checkOption(name: string, value: string, version: 4 | 6): void {
  const refuse = (field: string, shown: string, rule: string): never => {
    throw badRequest(
      `Invalid input for extra_dhcp_opts. Reason: ${field} '${shown.slice(0, 60)}' ${rule}.`,
      'HTTPBadRequest',
    );
  };
  const known = DHCP_OPTIONS[version].includes(name) || /^([1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-4])$/.test(name);
  if (!known)
    refuse(
      'opt_name',
      name,
      `is no DHCPv${version} option: it must be a number from 1 to 254 or one of ${DHCP_OPTIONS[version].join(', ')}`,
    );
  if (!new RegExp(DHCP_OPTION_VALUE).test(value))
    refuse('opt_value', value, 'must be 1 to 255 printable characters without quotes, # and backslash');
}

export const optionsOf = (row: { extra_dhcp_opts: string }): DhcpOption[] =>
  JSON.parse(row.extra_dhcp_opts) as DhcpOption[];

/** Options that are named take their new value or go; the others stay, as in Neutron. */
export function joinOptions(before: readonly DhcpOption[], asked: Asked | undefined): DhcpOption[] {
  let options = [...before];
  for (const { opt_name: name, opt_value: value, ip_version: version } of asked ?? []) {
    const ipVersion = Number(version ?? 4) === 6 ? 6 : 4;
    options = options.filter((one) => one.name !== name || one.ipVersion !== ipVersion);
    if (value === null) continue;
    checkOption(name, value, ipVersion);
    options.push({ name, value, ipVersion });
  }
  return options;
}

export const optionViews = (row: { extra_dhcp_opts: string }): object[] =>
  optionsOf(row).map(({ name, value, ipVersion }) => ({
    opt_name: name,
    opt_value: value,
    ip_version: ipVersion,
  }));
