// One project: its members, its quotas, and what was done from it.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Button, Descriptions, Skeleton, Tabs } from 'antd';
import { useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { EventList } from '../../audit/event-list.tsx';
import { Members } from '../assignments/members.tsx';
import { useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Problem } from '../../kit/problem.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { projectQuery, type Project } from './api.ts';
import { DomainName } from './domain-name.tsx';

import { ProjectForm } from './project-form.tsx';
import { QuotasTab } from './quotas-tab.tsx';
import { projectText } from './text.ts';
import { useProjectActions } from './use-project-actions.tsx';

function Shown({ project }: { project: Project }) {
  const t = useText(projectText);
  const kit = useText(kitText);
  const actions = useProjectActions();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const refusal = actions.refusal(project);
  return (
    <PageFrame
      title={project.name}
      crumbs={[{ title: t.title, to: '/projects' }]}
      extra={
        <>
          <StateTag state={project.enabled ? 'enabled' : 'disabled'}>
            {project.enabled ? t.enabled : t.disabled}
          </StateTag>
          <Button onClick={() => setEditing(true)}>{kit.edit}</Button>
          {project.enabled ? (
            <ActionButton why={refusal} onClick={() => actions.disable(project)}>
              {t.disable}
            </ActionButton>
          ) : (
            <Button onClick={() => actions.enable(project)}>{t.enable}</Button>
          )}
          <ActionMenu
            label={kit.more}
            items={[
              {
                key: 'delete',
                label: kit.delete,
                danger: true,
                why: refusal,
                run: () => actions.remove([project], () => void navigate({ to: '/projects' })),
              },
            ]}
          />
        </>
      }
    >
      <Descriptions
        size="small"
        column={{ xs: 1, md: 2 }}
        items={[
          { key: 'id', label: kit.id, children: <Id id={project.id} /> },
          { key: 'domain', label: t.domain, children: <DomainName id={project.domain_id} /> },
          ...(project.description === ''
            ? []
            : [
                {
                  key: 'description',
                  label: kit.description,
                  children: project.description,
                  span: 'filled' as const,
                },
              ]),
        ]}
      />
      <Tabs
        items={[
          { key: 'members', label: t.members, children: <Members projectId={project.id} /> },
          { key: 'quotas', label: t.quotas, children: <QuotasTab project={project} /> },
          {
            key: 'activity',
            label: t.activity,
            children: <EventList filter={{ project_id: project.id }} limit={20} showProject={false} />,
          },
        ]}
      />
      <ProjectForm open={editing} project={project} onClose={() => setEditing(false)} />
    </PageFrame>
  );
}

export function ProjectPage() {
  const t = useText(projectText);
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const query = useQuery(projectQuery(id));
  if (query.data !== undefined) return <Shown project={query.data} />;
  return (
    <PageFrame title={t.title} crumbs={[{ title: t.title, to: '/projects' }]}>
      {query.error === null ? <Skeleton active /> : <Problem error={query.error} />}
    </PageFrame>
  );
}
