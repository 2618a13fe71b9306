// A router's external gateway: a port on an external network, and whether it hides what is behind it (SNAT).
import type { Static } from 'typebox';
import { Type } from 'typebox';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, conflict } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import { idOf, nullable, strict, text } from '../../../kernel/schema.ts';
import { disallowed } from '../faults.ts';
import { readableNetwork } from '../networks/schema.ts';
import { releaseAddresses } from '../ports/addresses.ts';
import { deletePorts, insertPort, subnetsOf, takeFixedIps } from '../ports/insert.ts';
import { flag } from '../rows.ts';
import { cidrOf } from '../subnets/subnets.ts';
import { overlaps } from '../subnets/addressing.ts';
import { GATEWAY, routerAddresses } from './ports.ts';
import type { RouterRow } from './table.ts';

export const gatewayInfo = nullable(
  strict({
    network_id: Type.Optional(idOf('network')),
    enable_snat: Type.Optional(Type.Boolean()),
    external_fixed_ips: Type.Optional(
      Type.Array(strict({ subnet_id: Type.Optional(idOf('subnet')), ip_address: Type.Optional(text(45)) }), {
        maxItems: 8,
      }),
    ),
  }),
);
export type GatewayInfo = Static<typeof gatewayInfo>;

type Gateway = Pick<RouterRow, 'external_network_id' | 'gateway_port_id' | 'enable_snat'>;
const none: Gateway = { external_network_id: '', gateway_port_id: '', enable_snat: 1 };

/** Applies what the user asked to the router's ports; returns the new columns. */
export async function setGateway(
  tx: Tx,
  ctx: Ctx,
  router: RouterRow,
  info: GatewayInfo,
  rule: string,
): Promise<Gateway> {
  if (!isAdmin(ctx.actor)) {
    if (info?.enable_snat !== undefined) throw disallowed(`${rule}:external_gateway_info:enable_snat`);
    if (info?.external_fixed_ips !== undefined)
      throw disallowed(`${rule}:external_gateway_info:external_fixed_ips`);
  }
  if (info === null || info.network_id === undefined) {
    if (info !== null && (info.enable_snat !== undefined || info.external_fixed_ips !== undefined))
      throw badRequest(
        `Invalid input for external_gateway_info. Reason: 'network_id' is required.`,
        'HTTPBadRequest',
      );
    return clearGateway(tx, ctx, router);
  }
  const enableSnat = flag(info.enable_snat ?? true);
  if (router.external_network_id === info.network_id) {
    if (info.external_fixed_ips !== undefined) await moveGateway(tx, ctx, router, info.external_fixed_ips);
    return { ...router, enable_snat: info.enable_snat === undefined ? router.enable_snat : enableSnat };
  }
  const network = await readableNetwork(tx, ctx.actor, info.network_id);
  if (network.external === 0)
    throw badRequest(`Bad router request: Network ${network.id} is not an external network.`);
  if (router.gateway_port_id !== '') await clearGateway(tx, ctx, router);
  await refuseOverlap(tx, router, network.id);
  const port = await insertPort(tx, ctx, {
    project_id: '',
    network_id: network.id,
    device_id: router.id,
    device_owner: GATEWAY,
    port_security_enabled: 0,
  });
  const subnets = await subnetsOf(tx, [network.id]);
  await takeFixedIps(tx, port, subnets, info.external_fixed_ips);
  if (subnets.length === 0)
    throw badRequest(`Bad router request: No IPs available for external network ${network.id}.`);
  return { external_network_id: network.id, gateway_port_id: port.id, enable_snat: enableSnat };
}

async function moveGateway(
  tx: Tx,
  ctx: Ctx,
  router: RouterRow,
  asked: NonNullable<NonNullable<GatewayInfo>['external_fixed_ips']>,
): Promise<void> {
  const port = await tx
    .selectFrom('ports')
    .selectAll()
    .where('id', '=', router.gateway_port_id)
    .executeTakeFirstOrThrow();
  const held = await tx
    .selectFrom('ip_allocations')
    .select(['subnet_id', 'ip_address'])
    .where('port_id', '=', port.id)
    .execute();
  const stays =
    asked.length === held.length &&
    asked.every((wish) =>
      held.some(
        (one) =>
          (wish.subnet_id ?? one.subnet_id) === one.subnet_id &&
          (wish.ip_address ?? one.ip_address) === one.ip_address,
      ),
    );
  if (stays) return;
  await releaseAddresses(tx, ctx.platform.clock.now(), [port.id]);
  await takeFixedIps(
    tx,
    port,
    await subnetsOf(tx, [port.network_id]),
    asked.length === 0 ? undefined : asked,
  );
}

async function clearGateway(tx: Tx, ctx: Ctx, router: RouterRow): Promise<Gateway> {
  if (router.gateway_port_id === '') return none;
  const floating = await tx
    .selectFrom('floating_ips')
    .select('id')
    .where('router_id', '=', router.id)
    .limit(1)
    .executeTakeFirst();
  if (floating !== undefined)
    throw conflict(
      `Gateway cannot be updated for router ${router.id}, since a gateway to external network ${router.external_network_id} is required by one or more floating IPs (e.g. ${floating.id}).`,
      'RouterExternalGatewayInUseByFloatingIp',
    );
  await deletePorts(tx, ctx, [router.gateway_port_id]);
  return none;
}

/** The external subnets must not overlap those behind the router. */
async function refuseOverlap(tx: Tx, router: RouterRow, networkId: string): Promise<void> {
  const connected = (await routerAddresses(tx, [router.id])).filter((one) => one.device_owner !== GATEWAY);
  for (const subnet of await subnetsOf(tx, [networkId]))
    for (const one of connected)
      if (overlaps(cidrOf(subnet), cidrOf(one)))
        throw badRequest(
          `Bad router request: Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${one.cidr} of subnet ${one.subnet_id}.`,
        );
}
