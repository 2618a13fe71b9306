// Projects by their names, and naming one in a form: an operator sees all, others know the id of the one they mean.
import { useQuery } from '@tanstack/react-query';
import { Input, Select } from 'antd';
import { useMemo } from 'react';
import { all } from './api.ts';
import { useText } from './language.tsx';
import { Id } from './link.tsx';
import { isOperator, useSession, type Named } from './session.ts';
import { kitText } from './text.ts';

const NONE: readonly Named[] = [];

function useProjects(): readonly Named[] {
  const operator = isOperator(useSession());
  const { data = NONE } = useQuery({
    queryKey: ['projects', 'names'],
    queryFn: ({ signal }) => all<Named>('/identity/v3/projects', 'projects', {}, signal),
    enabled: operator,
    staleTime: 60_000,
  });
  return data;
}

/** By id; for who is no operator only the own. */
export function useProjectNames(): ReadonlyMap<string, string> {
  const projects = useProjects();
  const { project } = useSession();
  return useMemo(
    () => new Map([...(project === null ? [] : [project]), ...projects].map(({ id, name }) => [id, name])),
    [projects, project],
  );
}

/** By its name where that is known. */
export function ProjectName({ id }: { id: string }) {
  const name = useProjectNames().get(id);
  return name === undefined ? <Id id={id} short /> : <span title={id}>{name}</span>;
}

type Props = {
  /** Read aloud, where no label stands beside it. */
  label?: string;
  id?: string;
  /** Project id. */
  value?: string;
  onChange?(value: string): void;
};

export function ProjectInput({ label, id, value, onChange }: Props) {
  const t = useText(kitText);
  const operator = isOperator(useSession());
  const projects = useProjects();
  const named = label === undefined ? {} : { 'aria-label': label };
  if (!operator)
    return (
      <Input {...named} id={id} value={value} onChange={(event) => onChange?.(event.target.value.trim())} />
    );
  return (
    <Select
      {...named}
      id={id}
      style={{ width: '100%' }}
      value={value === '' ? undefined : value}
      onChange={onChange}
      showSearch={{ optionFilterProp: 'label' }}
      placeholder={t.chooseProject}
      options={projects.map((project) => ({
        value: project.id,
        label: `${project.name} (${project.id.slice(0, 8)})`,
      }))}
    />
  );
}
