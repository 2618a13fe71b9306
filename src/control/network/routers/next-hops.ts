// Which extra routes a router can have.
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import { contains, parseAddress } from '../subnets/addressing.ts';
import { checkRoutes, type HostRoute } from '../subnets/rules.ts';
import { cidrOf } from '../subnets/subnets.ts';
import { routerAddresses } from './ports.ts';
import type { RouterRow } from './table.ts';

/** Every next hop must be on a subnet that the router is connected to. */
export async function routesFor(tx: Tx, router: RouterRow, asked: readonly HostRoute[]): Promise<string> {
  const routes = checkRoutes(asked, 'routes');
  const connected = await routerAddresses(tx, [router.id]);
  for (const one of routes) {
    const nexthop = parseAddress(one.nexthop);
    if (nexthop !== null && connected.some((address) => address.ip_address === one.nexthop))
      throw badRequest(
        `Invalid format for routes: ${one.destination} via ${one.nexthop}, the nexthop is used by router.`,
        'InvalidRoutes',
      );
    if (nexthop === null || !connected.some((address) => contains(cidrOf(address), nexthop)))
      throw badRequest(
        `Invalid format for routes: ${one.destination} via ${one.nexthop}, the nexthop is not connected with router.`,
        'InvalidRoutes',
      );
  }
  return JSON.stringify(routes);
}
