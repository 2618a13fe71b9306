// Whose a resource is, for operators, who see those of all projects; and what servers are called.
import { useQuery } from '@tanstack/react-query';
import { all } from '../kit/api.ts';
import { ResourceLink } from '../kit/link.tsx';
import { useProjectNames } from '../kit/project-input.tsx';
import { isOperator, useSession, type Named } from '../kit/session.ts';
import type { Column } from '../kit/resource-table.tsx';

const byId = (rows: readonly Named[] | undefined): ReadonlyMap<string, string> =>
  new Map((rows ?? []).map(({ id, name }) => [id, name]));

/** The column of the project: nothing for who sees only the own. */
export function useProjectColumn<T extends { project_id: string }>(title: string): readonly Column<T>[] {
  const names = useProjectNames();
  const shown = isOperator(useSession());
  const nameOf = ({ project_id: id }: T): string => names.get(id) ?? id.slice(0, 8);
  if (!shown) return [];
  return [
    {
      key: 'project',
      title,
      value: nameOf,
      filter: true,
      render: (row) =>
        row.project_id === '' ? null : <ResourceLink to="/projects" id={row.project_id} name={nameOf(row)} />,
    },
  ];
}

/** Names of the servers that the user sees, by id. */
export function useServerNames(): ReadonlyMap<string, string> {
  const operator = isOperator(useSession());
  const { data } = useQuery({
    queryKey: ['servers', 'names'],
    queryFn: ({ signal }) =>
      all<Named>('/compute/v2.1/servers', 'servers', operator ? { all_tenants: true } : {}, signal),
    staleTime: 10_000,
    select: byId,
  });
  return data ?? new Map();
}
