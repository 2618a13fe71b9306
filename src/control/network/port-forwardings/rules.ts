// Which ports a forwarding may name, by itself and beside the others. Pure.
import { badRequest } from '../../../kernel/errors.ts';
import type { PortForwardingRow } from './table.ts';

/** Both ends included. */
export type PortRange = { first: number; last: number };
type Ends = Pick<
  PortForwardingRow,
  'protocol' | 'external_first' | 'external_last' | 'internal_first' | 'internal_last'
>;

/** A range that is moved (8000:8999 to 80:1079) costs the packet filter an entry for each port. */
export const MAX_MOVED_PORTS = 1_000;

const badForwarding = (why: string) => badRequest(`Bad port_forwarding request: ${why}.`);

/** What `<side>_port` and `<side>_port_range` say together; null: neither is given. */
export function portRange(
  side: 'external' | 'internal',
  single: number | string | null | undefined,
  range: number | string | null | undefined,
): PortRange | null {
  const read = (field: string, value: number | string): PortRange => {
    const [first = '', last = first, ...rest] = String(value).split(':');
    const ends = { first: Number(first), last: Number(last) };
    const valid = (text: string): boolean =>
      /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
    if (rest.length > 0 || !valid(first) || !valid(last) || ends.first > ends.last)
      throw badRequest(
        `Invalid input for ${field}. Reason: '${String(value).slice(0, 60)}' is not a port from 1 to 65535${field.endsWith('range') ? ', or a range first:last of them' : ''}.`,
        'HTTPBadRequest',
      );
    return ends;
  };
  const one = single === null || single === undefined ? null : read(`${side}_port`, single);
  const many = range === null || range === undefined ? null : read(`${side}_port_range`, range);
  if (one !== null && one.first !== one.last)
    throw badRequest(
      `Invalid input for ${side}_port. Reason: '${single}' is not a single port.`,
      'HTTPBadRequest',
    );
  if (one !== null && many !== null && (one.first !== many.first || one.last !== many.last))
    throw badForwarding(
      `${side}_port ${one.first} and ${side}_port_range ${many.first}:${many.last} differ; name one of them`,
    );
  return many ?? one;
}

/** N external ports lead to N internal ones, or all of them to one. */
export function checkRelation(row: Ends): void {
  const [outside, inside] = [row.external_last - row.external_first, row.internal_last - row.internal_first];
  if (inside > 0 && inside !== outside)
    throw badForwarding(
      'Invalid ranges of internal and/or external ports. The relation between internal and external ports must be N-N or 1-N',
    );
  if (inside >= MAX_MOVED_PORTS && row.internal_first !== row.external_first)
    throw badForwarding(
      `external_port_range ${rangeText(row.external_first, row.external_last)} has more than ${MAX_MOVED_PORTS} ports; so many can only be forwarded to ports of the same numbers`,
    );
}

export const rangeText = (first: number, last: number): string => `${first}:${last}`;

const collide = (a: PortRange, b: PortRange): boolean => a.first <= b.last && b.first <= a.last;

/** Refuses a forwarding whose ports another one has, outside on the address or inside on the port's address. */
export function checkCollisions(
  row: Ends & { id: string; internal_ip_address: string },
  onAddress: readonly PortForwardingRow[],
  onPort: readonly PortForwardingRow[],
): void {
  const sides = [
    { side: 'external', others: onAddress },
    { side: 'internal', others: onPort.filter((one) => one.internal_ip_address === row.internal_ip_address) },
  ] as const;
  for (const { side, others } of sides) {
    const ends = (one: Ends): PortRange => ({ first: one[`${side}_first`], last: one[`${side}_last`] });
    const own = ends(row);
    const other = others.find(
      (one) => one.id !== row.id && one.protocol === row.protocol && collide(ends(one), own),
    );
    if (other !== undefined)
      throw badForwarding(
        `There is a port collision with the ${side}_port_range. The following ranges collide: ${rangeText(ends(other).first, ends(other).last)} of ${other.id} and ${rangeText(own.first, own.last)}`,
      );
  }
}
