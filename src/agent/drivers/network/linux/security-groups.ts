// Security groups and address groups in the kernel: one chain pair and one set pair each, shared by all ports.
// What a group no longer allows is cut from the connection table, so that the rules judge it again.
import type {
  AddressGroupBody,
  PortBody,
  SecurityGroupBody,
  SecurityGroupRuleBody,
} from '../../../../protocol/items.ts';
import { DriverError } from '../../errors.ts';
import { cutFlows, type Flow } from './commands.ts';
import type { LinuxContext } from './context.ts';
import {
  addressGroupElements,
  addressGroupRules,
  groupRules,
  removeAddressGroupRules,
  removeGroupRules,
  ruleText,
} from './filter.ts';
import { bridgeOf, checkId, fingerprint } from './names.ts';
import { flowsOf } from './port.ts';

const members = (ctx: LinuxContext, groupId: string): PortBody[] =>
  [...ctx.ports.values()].filter((port) => port.portSecurity && port.securityGroupIds.includes(groupId));

const protocolNames = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
]);

/** The flows that a rule allowed, as narrowly as conntrack can name them: those of other rules should not have to be judged again. */
function flowsUnder(rule: SecurityGroupRuleBody): Partial<Flow> {
  const number = rule.protocol === 1 && rule.ethertype === 'IPv6' ? 58 : rule.protocol;
  const protocol = number === null ? undefined : protocolNames.get(number);
  const single =
    (protocol === 'tcp' || protocol === 'udp') && rule.portMin !== null && rule.portMin === rule.portMax;
  return {
    match: rule.direction === 'ingress' ? '--orig-dst' : '--orig-src',
    ...(protocol === undefined ? {} : { protocol }),
    ...(single ? { port: rule.portMin ?? 0 } : {}),
  };
}

/** Flows that `after` may forbid while `before` allowed them. */
function lostFlows(
  ctx: LinuxContext,
  ports: PortBody[],
  before: SecurityGroupBody,
  after: SecurityGroupBody,
): Flow[] {
  if (before.stateful !== after.stateful) return ports.flatMap((port) => flowsOf(ctx, port));
  const allowed = new Set(after.rules.map((rule) => rule.direction + ruleText(rule)));
  const lost = before.rules.filter((rule) => !allowed.has(rule.direction + ruleText(rule)));
  return lost
    .flatMap((rule) => ports.flatMap((port) => flowsOf(ctx, port, flowsUnder(rule))))
    .filter(({ address, protocol }) => (address.includes(':') ? protocol !== 'icmp' : protocol !== 'icmpv6'));
}

export function ensureSecurityGroup(ctx: LinuxContext, id: string, body: SecurityGroupBody): Promise<void> {
  checkId('Security group', id);
  return ctx.exclusive(`group:${id}`, async () => {
    for (const { remoteGroupId, id: ruleId } of body.rules) {
      if (remoteGroupId === null) continue;
      checkId('Remote group', remoteGroupId);
      if (!ctx.kernel.addressGroups.has(remoteGroupId))
        throw new DriverError(
          'failed',
          `Security group ${id}: rule ${ruleId} names the address group ${remoteGroupId}, which is not on this host yet.`,
        );
    }
    const hash = fingerprint(groupRules(id, body, ''));
    const known = ctx.kernel.securityGroups.get(id);
    if (known !== hash) {
      await ctx.nft(groupRules(id, body, hash), `Security group ${id}`);
      ctx.kernel.securityGroups.set(id, ''); // until the flows are cut too
      const before = ctx.securityGroups.get(id);
      const what = `Security group ${id}: cutting flows that are no longer allowed`;
      // Changed while this process was away: neither its old rules nor its ports are known, so whatever is tracked is judged again.
      if (known !== undefined)
        await cutFlows(
          ctx.names,
          ctx.names.switchNs,
          before === undefined ? everything : lostFlows(ctx, members(ctx, id), before, body),
          what,
        );
      ctx.kernel.securityGroups.set(id, hash);
    }
    ctx.securityGroups.set(id, body);
  });
}

const everything: Flow[] = [
  { match: '--orig-src', address: '0.0.0.0/0' },
  { match: '--orig-src', address: '::/0' },
];

export function removeSecurityGroup(ctx: LinuxContext, id: string): Promise<void> {
  return ctx.exclusive(`group:${id}`, async () => {
    ctx.securityGroups.delete(id);
    if (!ctx.kernel.securityGroups.has(id)) return;
    await ctx.nft(removeGroupRules(id), `Removing security group ${id}`).catch((error: unknown) => {
      throw inUse(error, `Security group ${id} is still used by a port on this host.`);
    });
    ctx.kernel.securityGroups.delete(id);
  });
}

const inUse = (error: unknown, message: string): unknown =>
  error instanceof DriverError && /busy/.test(error.detail)
    ? new DriverError('failed', message, error.detail, error)
    : error;

export function ensureAddressGroup(ctx: LinuxContext, id: string, body: AddressGroupBody): Promise<void> {
  checkId('Address group', id);
  return ctx.exclusive(`addresses:${id}`, async () => {
    const after = addressGroupElements(id, body);
    const before = ctx.kernel.addressGroups.get(id);
    if (before !== undefined && before.size === after.length && after.every((text) => before.has(text)))
      return;
    const what = `Address group ${id}`;
    await ctx.nft(addressGroupRules(id, before ?? new Set(), after), what);
    const gone = [...(before ?? [])].filter((text) => !after.includes(text));
    ctx.kernel.addressGroups.set(id, new Set(after));
    if (gone.length > 0) await cutFlows(ctx.names, ctx.names.switchNs, flowsWith(ctx, id, gone), what);
  });
}

/** Flows with addresses that left the group, in the zones of ports whose groups name it. */
function flowsWith(ctx: LinuxContext, addressGroupId: string, addresses: string[]): Flow[] {
  const groups = [...ctx.securityGroups]
    .filter(([, group]) => group.rules.some((rule) => rule.remoteGroupId === addressGroupId))
    .map(([id]) => id);
  const zones = new Set(
    groups.flatMap((id) => members(ctx, id)).map((port) => ctx.kernel.zones.get(bridgeOf(port.networkId))),
  );
  return [...zones].flatMap((zone) =>
    zone === undefined
      ? []
      : addresses.flatMap((address) =>
          (['--orig-src', '--orig-dst'] as const).map((match) => ({ zone, match, address })),
        ),
  );
}

export function removeAddressGroup(ctx: LinuxContext, id: string): Promise<void> {
  return ctx.exclusive(`addresses:${id}`, async () => {
    if (!ctx.kernel.addressGroups.has(id)) return;
    await ctx.nft(removeAddressGroupRules(id), `Removing address group ${id}`).catch((error: unknown) => {
      throw inUse(error, `Address group ${id} is still named by a security group rule on this host.`);
    });
    ctx.kernel.addressGroups.delete(id);
  });
}
