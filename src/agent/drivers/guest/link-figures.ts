// The kernel's counters of one interface, as the guest sees them.
import type { GuestFigures } from '../../../protocol/link.ts';

const count = (value: unknown): number => (typeof value === 'number' ? value : 0);

export const nicFigures = (
  mac: string,
  received: Record<string, unknown>,
  sent: Record<string, unknown>,
): GuestFigures['nics'][number] => ({
  mac,
  rxOctets: count(received['bytes']),
  rxPackets: count(received['packets']),
  rxErrors: count(received['errors']),
  rxDrop: count(received['dropped']),
  txOctets: count(sent['bytes']),
  txPackets: count(sent['packets']),
  txErrors: count(sent['errors']),
  txDrop: count(sent['dropped']),
});
