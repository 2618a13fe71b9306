// Who a guest's QEMU process runs as. Each guest gets a user id of its own, so that a guest that escapes
// into its QEMU can neither act as root nor reach the sockets and taps of other guests. The ids are numbers
// without /etc/passwd entries. The network driver makes a guest's taps with
// `ip tuntap add … mode tap user <guestUid(serverId)>`; a tap with `group <guestGid>` and no user works too.
import { createHash } from 'node:crypto';

/** The group of all guests. */
export const guestGid = 64_061;

/** Stable for a server; 2^30..2^31-1, above every range that distributions, systemd or subuid hand out. */
export function guestUid(serverId: string): number {
  return 0x4000_0000 + (createHash('sha256').update(serverId).digest().readUInt32BE(0) & 0x3fff_ffff);
}
