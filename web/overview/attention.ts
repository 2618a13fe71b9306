// What needs somebody: found in what the services say, each with the step that comes next. The wording is text.ts's.
import type { Host } from '../compute/hypervisors/api.ts';
import type { Quota, QuotaName } from '../identity/projects/quotas.ts';
import { NEARLY, shareOf } from '../kit/share.ts';

export type Failed = { id: string; name: string; reason: string | null };
export type FailedKind = 'server' | 'volume' | 'router' | 'floatingIp' | 'image';

export type NextStep = FailedKind | 'noHost' | 'crashed' | 'quota' | 'hostDown' | 'hostDisabled';

export type Need =
  | { kind: FailedKind; id: string; name: string; reason: string | null; next: NextStep }
  | { kind: 'quota'; id: QuotaName; quota: Quota; next: 'quota' }
  | { kind: 'host'; id: string; name: string; reason: string; next: 'hostDown' | 'hostDisabled' };

/** What to do about a server follows from its fault. */
export function nextForServer(fault: string | null): NextStep {
  if (fault === null) return 'server';
  if (/no valid host/i.test(fault)) return 'noHost';
  return /crash|exited|died|restart/i.test(fault) ? 'crashed' : 'server';
}

const failedNeeds = (kind: FailedKind, failed: readonly Failed[]): Need[] =>
  failed.map(({ id, name, reason }) => ({
    kind,
    id,
    name,
    reason,
    next: kind === 'server' ? nextForServer(reason) : kind,
  }));

/** Worst first: what has failed, hosts that are gone, quotas that are nearly used up, hosts that were disabled. */
export function needsOf(found: {
  failed: Readonly<Record<FailedKind, readonly Failed[]>>;
  quotas: readonly Quota[];
  hosts: readonly Host[];
}): Need[] {
  const hosts = (next: 'hostDown' | 'hostDisabled', of: readonly Host[]): Need[] =>
    of.map((host) => ({
      kind: 'host',
      id: host.id,
      name: host.hypervisor_hostname,
      reason: host.service.disabled_reason ?? '',
      next,
    }));
  return [
    ...hosts(
      'hostDown',
      found.hosts.filter(({ state }) => state === 'down'),
    ),
    ...(Object.keys(found.failed) as FailedKind[]).flatMap((kind) => failedNeeds(kind, found.failed[kind])),
    ...found.quotas
      .filter(({ used, limit }) => used !== null && shareOf(used, limit) >= NEARLY)
      .map((quota): Need => ({ kind: 'quota', id: quota.name, quota, next: 'quota' })),
    ...hosts(
      'hostDisabled',
      found.hosts.filter(({ state, status }) => state === 'up' && status === 'disabled'),
    ),
  ];
}
