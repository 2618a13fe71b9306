// The name of a user, as a link for who may open it.
import { ResourceLink } from '../../kit/link.tsx';
import { isOperator, useSession } from '../../kit/session.ts';

export function UserName({ id, name }: { id: string; name: string | null }) {
  const session = useSession();
  // Who is gone, and what the cloud does by itself, has no page.
  if (name !== null && isOperator(session)) return <ResourceLink to="/users" id={id} name={name} />;
  return <span title={id}>{name ?? (id.length > 20 ? id.slice(0, 8) : id)}</span>;
}
