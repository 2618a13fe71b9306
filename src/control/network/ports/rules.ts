// Who may write which field of a port, and what its fields may hold. Neutron's defaults: MAC, addresses by
// name, port security and address pairs belong to the network's owner; bindings and network devices to operators.
import { badRequest, conflict, notFound } from '../../../kernel/errors.ts';
import type { Tx } from '../../../kernel/db/index.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { disallowed, invalidInput } from '../faults.ts';
import { granted, SHARED } from '../rbac/visible.ts';
import { addressText, parseAddress, parseCidr } from '../subnets/addressing.ts';
import type { PortUpdate } from './schema.ts';

const MAX_ADDRESS_PAIRS = 10;
export const MAX_FIXED_IPS = 5;

/** By which right somebody puts ports on a network. */
export type NetworkUse = 'owner' | 'shared' | 'none';

export function checkFields(
  ctx: Ctx,
  verb: 'create_port' | 'update_port',
  input: PortUpdate,
  use: NetworkUse,
): void {
  if (isAdmin(ctx.actor)) return;
  const ownsNetwork = use === 'owner';
  const refuse = (field: keyof PortUpdate): never => {
    throw disallowed(`${verb}:${field}`);
  };
  if (input['binding:host_id'] !== undefined) refuse('binding:host_id');
  if (input['binding:profile'] !== undefined) refuse('binding:profile');
  if ((input.device_owner ?? '').startsWith('network:')) refuse('device_owner');
  if (input.mac_address !== undefined && (verb === 'update_port' || !ownsNetwork)) refuse('mac_address');
  if (ownsNetwork) return;
  if (input.port_security_enabled !== undefined) refuse('port_security_enabled');
  if (input.allowed_address_pairs !== undefined) refuse('allowed_address_pairs');
  if (input.fixed_ips?.some((wish) => wish.ip_address !== undefined) === true)
    throw disallowed(`${verb}:fixed_ips:ip_address`);
  if (input.fixed_ips !== undefined && use === 'none') refuse('fixed_ips');
}

/** Lower case with colons; group addresses are no interface's address. */
export function checkMac(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || mac === '00:00:00:00:00:00')
    throw invalidInput(
      `mac_address '${text}' is not the address of an interface (multicast, broadcast or null)`,
    );
  return mac;
}

export type AddressPair = { ip_address: string; mac_address: string };

export function checkPairs(input: PortUpdate['allowed_address_pairs'], portMac: string): AddressPair[] {
  const list = input ?? [];
  if (list.length > MAX_ADDRESS_PAIRS)
    throw badRequest(
      `The number of allowed address pair exceeds the maximum ${MAX_ADDRESS_PAIRS}.`,
      'AllowedAddressPairExhausted',
    );
  const pairs = list.map((pair) => {
    const address = parseAddress(pair.ip_address);
    const cidr = parseCidr(pair.ip_address);
    if (address === null && cidr === null)
      throw badRequest(
        `Invalid input for allowed_address_pairs. Reason: '${pair.ip_address}' is not a valid IP address or CIDR.`,
        'HTTPBadRequest',
      );
    return {
      ip_address: address === null ? (cidr?.text ?? '') : addressText(address.version, address.value),
      mac_address: pair.mac_address === undefined ? portMac : checkMac(pair.mac_address),
    };
  });
  const keys = pairs.map((pair) => `${pair.mac_address} ${pair.ip_address}`);
  const twice = pairs.find((_, at) => keys.indexOf(keys[at] ?? '') !== at);
  if (twice !== undefined)
    throw badRequest(
      `Request contains duplicate address pair: mac_address ${twice.mac_address} ip_address ${twice.ip_address}.`,
      'DuplicateAddressPairInRequest',
    );
  return pairs;
}

/** Groups of the port's own project, and those shared with it; 404 names the one that is not there. */
export async function requireGroups(tx: Tx, projectId: string, ids: readonly string[]): Promise<string[]> {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return [];
  const found = await tx
    .selectFrom('security_groups')
    .select('id')
    .where('id', 'in', wanted)
    .where((eb) =>
      eb.or([eb('project_id', '=', projectId), granted('security_groups.id', projectId, SHARED)]),
    )
    .execute();
  const missing = wanted.find((id) => !found.some((group) => group.id === id));
  if (missing !== undefined) throw notFound('Security Group', missing);
  return wanted;
}

export function checkSecurity(
  portSecurity: boolean,
  groups: readonly string[],
  pairs: readonly AddressPair[],
): void {
  if (portSecurity) return;
  if (groups.length > 0)
    throw conflict(
      'Port has security group associated. Cannot disable port security or ip address until security group is removed.',
      'PortSecurityPortHasSecurityGroup',
    );
  if (pairs.length > 0)
    throw conflict(
      'Port Security must be enabled in order to have allowed address pairs on a port.',
      'AddressPairAndPortSecurityRequired',
    );
}
