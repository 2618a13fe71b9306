// Which addresses of servers a floating IP can lead to: a router has to join their subnet with its network. Pure.
import { versionOf } from '../addresses.ts';
import type { Port } from '../ports/api.ts';
import { ownerOf } from '../ports/owner.ts';
import type { Router } from '../routers/api.ts';

export type Target = {
  /** `portId address`: a port can have several addresses. */
  key: string;
  portId: string;
  serverId: string;
  address: string;
  projectId: string;
  /** A router leads from the external network to it. */
  reachable: boolean;
};

const subnetsBehind = (
  externalNetworkId: string,
  ports: readonly Port[],
  routers: readonly Pick<Router, 'id' | 'external_gateway_info'>[],
): ReadonlySet<string> => {
  const leading = new Set(
    routers
      .filter(({ external_gateway_info: gateway }) => gateway?.network_id === externalNetworkId)
      .map(({ id }) => id),
  );
  return new Set(
    ports
      .filter((port) => ownerOf(port) === 'router' && leading.has(port.device_id))
      .flatMap((port) => port.fixed_ips.map(({ subnet_id: id }) => id)),
  );
};

/** IPv4 addresses of servers, those that can be reached first. */
export function targetsOf(
  externalNetworkId: string,
  ports: readonly Port[],
  routers: readonly Pick<Router, 'id' | 'external_gateway_info'>[],
): Target[] {
  const behind = subnetsBehind(externalNetworkId, ports, routers);
  return ports
    .filter((port) => ownerOf(port) === 'server')
    .flatMap((port) =>
      port.fixed_ips
        .filter(({ ip_address: ip }) => versionOf(ip) === 4)
        .map(({ ip_address: address, subnet_id: subnet }) => ({
          key: `${port.id} ${address}`,
          portId: port.id,
          serverId: port.device_id,
          address,
          projectId: port.project_id,
          reachable: behind.has(subnet),
        })),
    )
    .toSorted((a, b) => Number(b.reachable) - Number(a.reachable));
}

/** '80' -> true, '8000-8080' and '8000:8080' too. */
export function portRange(text: string): string | null {
  const found = /^\s*(\d{1,5})\s*(?:[-:–]\s*(\d{1,5}))?\s*$/.exec(text);
  if (found === null) return null;
  const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
  if (first < 1 || last > 65_535 || first > last) return null;
  return first === last ? String(first) : `${first}:${last}`;
}
