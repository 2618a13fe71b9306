// What an event was about, as a link where the console has a page for it.
import { useRouter } from '@tanstack/react-router';
import { Typography } from 'antd';
import { useText } from '../kit/language.tsx';
import { To } from '../kit/link.tsx';
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
  host: '/hosts/$id',
  network: '/networks/$id',
  router: '/routers/$id',
  'floating-ip': '/floating-ips',
  'security-group': '/security-groups/$id',
  project: '/projects/$id',
  user: '/users/$id',
  role: '/roles',
};

export function useKindName(): (kind: string) => string {
  const { kinds } = useText(auditText);
  return (kind) => (kinds as Readonly<Record<string, string>>)[kind] ?? kind;
}

/** What was deleted has no page any more. */
export function Target({ event }: { event: AuditEvent }) {
  const { routesByPath } = useRouter();
  const short = event.target_id.length > 20 ? event.target_id.slice(0, 8) : event.target_id;
  const place = places[event.target_type];
  const there =
    place !== undefined &&
    verbOf(event.action, event.target_type) !== 'delete' &&
    Object.hasOwn(routesByPath as Record<string, unknown>, place);
  return there ? (
    <To to={place.replace('$id', event.target_id)} title={event.target_id}>
      <code>{short}</code>
    </To>
  ) : (
    <Typography.Text code title={event.target_id}>
      {short}
    </Typography.Text>
  );
}
