// The name of a project, as a link for who may open it.
import { ResourceLink } from '../../kit/link.tsx';
import { isOperator, useSession } from '../../kit/session.ts';

export function ProjectName({ id, name }: { id: string; name: string | null }) {
  const operator = isOperator(useSession());
  // What is deleted has no page.
  if (name !== null && operator) return <ResourceLink to="/projects" id={id} name={name} />;
  return <span title={id}>{name ?? id.slice(0, 8)}</span>;
}
