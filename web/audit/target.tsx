// What an event was about, as a link where the console has a page for it.
import { useRouter } from '@tanstack/react-router';
import { Typography } from 'antd';
import { useText } from '../kit/language.tsx';
import { To } from '../kit/link.tsx';
import { isOperator, useSession } from '../kit/session.ts';
import type { AuditEvent } from './api.ts';
import { auditText } from './text.ts';
import { verbOf } from './words.ts';

const places: Readonly<Record<string, string>> = {
  server: '/servers/$id',
  image: '/images/$id',
  volume: '/volumes/$id',
  snapshot: '/snapshots',
  flavor: '/flavors',
  keypair: '/keypairs',
  network: '/networks/$id',
  router: '/routers/$id',
  'floating-ip': '/floating-ips',
  'security-group': '/security-groups/$id',
};
const operatorPlaces: Readonly<Record<string, string>> = {
  host: '/hosts/$id',
  project: '/projects/$id',
  user: '/users/$id',
  role: '/roles',
  'quota-class': '/default-quotas',
};

export function useKindName(): (kind: string) => string {
  const { kinds } = useText(auditText);
  return (kind) => (kinds as Readonly<Record<string, string>>)[kind] ?? kind;
}

/** What was deleted has no page any more. */
export function Target({ event, name }: { event: AuditEvent; name: string | undefined }) {
  const { routesByPath } = useRouter();
  const operator = isOperator(useSession());
  const { target_id: id, target_type: kind } = event;
  // There are groups of users and of volumes.
  const place =
    places[kind] ??
    (operator
      ? kind === 'group' && event.action.startsWith('identity:')
        ? '/groups/$id'
        : operatorPlaces[kind]
      : undefined);
  const there =
    place !== undefined &&
    verbOf(event.action, kind) !== 'delete' &&
    Object.hasOwn(routesByPath as Record<string, unknown>, place);
  const shown = name ?? <code>{id.length > 20 ? id.slice(0, 8) : id}</code>;
  return there ? (
    <To to={place.replace('$id', id)} title={id}>
      {shown}
    </To>
  ) : (
    <Typography.Text title={id}>{shown}</Typography.Text>
  );
}
