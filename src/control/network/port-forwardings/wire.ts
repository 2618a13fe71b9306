// Port forwardings as clients see them, by themselves and in their floating IP. Pure.
import { isoSeconds } from '../../../kernel/clock.ts';
import { rangeText } from './rules.ts';
import type { PortForwardingRow } from './table.ts';

/** A single port shows as a number too. */
const ports = (row: PortForwardingRow): object => ({
  ...(row.external_first === row.external_last ? { external_port: row.external_first } : {}),
  ...(row.internal_first === row.internal_last ? { internal_port: row.internal_first } : {}),
});

export const portForwardingView = (row: PortForwardingRow): object => ({
  id: row.id,
  protocol: row.protocol,
  internal_port_id: row.internal_port_id,
  internal_ip_address: row.internal_ip_address,
  ...ports(row),
  external_port_range: rangeText(row.external_first, row.external_last),
  internal_port_range: rangeText(row.internal_first, row.internal_last),
  description: row.description,
  created_at: isoSeconds(row.created_at),
  updated_at: isoSeconds(row.updated_at),
  revision_number: row.revision,
});

export const inFloatingIp = (row: PortForwardingRow): object => ({
  id: row.id,
  protocol: row.protocol,
  internal_ip_address: row.internal_ip_address,
  internal_port_id: row.internal_port_id,
  ...ports(row),
  external_port_range: rangeText(row.external_first, row.external_last),
  internal_port_range: rangeText(row.internal_first, row.internal_last),
});
