// Enabling, disabling and deleting a project: each asks first, and says what stays behind.
import { Spin, Typography } from 'antd';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { forEach, useAction, useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { deleteProject, updateProject, type Project } from './api.ts';
import { quotaNames } from './quota-names.ts';
import { useAmount } from './quota-meter.tsx';
import { readQuotas } from './quota-api.ts';
import type { QuotaName } from './quotas.ts';
import { projectText } from './text.ts';

/** What a user made of its own will; ports and rules come and go with it. */
const OWNED: readonly QuotaName[] = [
  'instances',
  'volumes',
  'snapshots',
  'backups',
  'network',
  'router',
  'floatingip',
];

function LeftBehind({ project }: { project: Project }) {
  const t = useText(projectText);
  const names = useText(quotaNames);
  const amount = useAmount();
  const quotas = useQuery({
    queryKey: ['quotas', project.id],
    queryFn: () => readQuotas(project.id),
  });
  if (quotas.data === undefined) return quotas.isPending ? <Spin size="small" /> : null;
  const left = Object.values(quotas.data)
    .flat()
    .filter(({ name, used }) => OWNED.includes(name) && (used ?? 0) > 0);
  if (left.length === 0) return <Typography.Paragraph>{t.empty}</Typography.Paragraph>;
  return (
    <>
      <Typography.Text strong>{t.stillHas}</Typography.Text>
      <ul>
        {left.map(({ name, used }) => (
          <li key={name}>
            {names[name]}
            {': '}
            {amount(name, used ?? 0)}
          </li>
        ))}
      </ul>
    </>
  );
}

export function useProjectActions() {
  const t = useText(projectText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const session = useSession();
  const queries = useQueryClient();
  const refresh = [['projects'], ['assignments']] as const;
  const again = (): Promise<unknown> =>
    Promise.all(refresh.map((queryKey) => queries.invalidateQueries({ queryKey })));
  const enable = useAction<Project>({
    run: ({ id }) => updateProject(id, { enabled: true }),
    refresh,
    done: t.changed,
  });
  return {
    /** Why nothing may happen to it; null: it may. */
    refusal: (project: Project): string | null => (project.id === session.project?.id ? t.own : null),
    enable: (project: Project) => enable.mutate(project),
    disable: (project: Project) =>
      confirm({
        title: t.disableTitle(project.name),
        content: t.disableLoses,
        okText: t.disable,
        run: async () => {
          await updateProject(project.id, { enabled: false });
          await again();
        },
      }),
    remove: (projects: readonly Project[], after: () => void) => {
      const [one] = projects;
      if (one === undefined) return;
      confirm({
        title: projects.length === 1 ? t.deleteTitle(one.name) : t.deleteMany(projects.length),
        content: (
          <>
            <Typography.Paragraph>{t.deleteLoses}</Typography.Paragraph>
            {projects.map((project) => (
              <div key={project.id}>
                {projects.length === 1 ? null : <Typography.Text strong>{project.name}</Typography.Text>}
                <LeftBehind project={project} />
              </div>
            ))}
          </>
        ),
        okText: kit.delete,
        run: async () => {
          try {
            await forEach(projects, ({ id }) => deleteProject(id));
            after();
          } finally {
            await again();
          }
        },
      });
    },
  };
}
