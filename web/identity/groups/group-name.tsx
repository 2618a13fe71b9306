// The name of a group, as a link to its page.
import { ResourceLink } from '../../kit/link.tsx';

export function GroupName({ id, name }: { id: string; name: string }) {
  return <ResourceLink to="/groups" id={id} name={name} />;
}
