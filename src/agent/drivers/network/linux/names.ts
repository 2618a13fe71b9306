// Every kernel name of one cloud, derived from its id and the objects' ids, so that nothing but the kernel
// has to remember them. Device names have 15 characters at most, hence the hash.
import { createHash } from 'node:crypto';
import { DriverError } from '../../errors.ts';

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** 60 bits of SHA-256 in 12 characters: 10 million objects collide with a probability of 4e-5. */
export function short(id: string): string {
  const digest = createHash('sha256').update(id).digest();
  let bits = digest.readBigUInt64BE(0) >> 4n;
  let text = '';
  for (let i = 0; i < 12; i++) {
    text += alphabet[Number(bits & 31n)];
    bits >>= 5n;
  }
  return text;
}

/** Hash of what was compiled for an object; kept in the kernel beside it, so that an unchanged object is left alone after a restart. */
export const fingerprint = (...parts: string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);

/** A locally administered unicast MAC that depends on `seed` only: bridges would otherwise change theirs as ports come and go. */
export function macOf(seed: string): string {
  const digest = createHash('sha256').update(seed).digest();
  return ['fe', ...[...digest.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Ids become names of chains and sets, and device aliases. */
export function checkId(kind: string, id: string): void {
  if (!idPattern.test(id))
    throw new DriverError(
      'refused',
      `${kind} id ${JSON.stringify(id.slice(0, 140))} must match ${idPattern.source}.`,
    );
}

export const bridgeOf = (networkId: string): string => `b${short(networkId)}`;
export const tapOf = (portId: string): string => `t${short(portId)}`;
export const vethOf = (portId: string): string => `v${short(portId)}`;
export const ifbOf = (portId: string): string => `f${short(portId)}`;
export const dhcpPortOf = (networkId: string): string => `d${short(networkId)}`;
export const routerPortOf = (portId: string): string => `r${short(portId)}`;
export const routerInterfaceOf = (portId: string): string => `i${short(portId)}`;
export const routerGatewayOf = (portId: string): string => `g${short(portId)}`;
/** The switch's end of the veth that gives the host its address on the external network. */
export const hostPort = 'host';
/** The DHCP namespace's end of its veth. */
export const dhcpInterface = 'dhcp0';

export type CloudNames = {
  switchNs: string;
  routerNs(routerId: string): string;
  networkNs(networkId: string): string;
  serverNs(serverId: string): string;
  /** The root namespace's end of the external link. */
  hostDevice: string;
  hostTable: string;
  /** Runtime files of what runs now (dnsmasq): gone with a reboot, as the kernel's objects are. World-readable, for dnsmasq drops root. */
  runDir: string;
};

export function cloudNames(cloudId: string): CloudNames {
  if (!/^[a-z0-9]{6,10}$/.test(cloudId))
    throw new DriverError('refused', `The cloud id "${cloudId}" must be 6 to 10 characters of a-z and 0-9.`);
  const base = `strata-${cloudId}`;
  return {
    switchNs: base,
    routerNs: (id) => `${base}-r-${short(id)}`,
    networkNs: (id) => `${base}-n-${short(id)}`,
    serverNs: (id) => `${base}-s-${short(id)}`,
    hostDevice: `st-${cloudId}`,
    hostTable: `strata_${cloudId}`,
    runDir: `/run/${base}-net`,
  };
}
