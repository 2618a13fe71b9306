// All projects of the cloud.
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { useMemo, useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { domainsQuery, projectsQuery, type Project } from './api.ts';
import { ProjectForm } from './project-form.tsx';
import { projectText } from './text.ts';
import { useProjectActions } from './use-project-actions.tsx';

export function ProjectsPage() {
  const t = useText(projectText);
  const kit = useText(kitText);
  const query = useQuery(projectsQuery);
  const domains = useQuery(domainsQuery);
  const actions = useProjectActions();
  const [form, setForm] = useState<{ project: Project | null } | null>(null);
  const columns = useMemo((): Column<Project>[] => {
    const domainName = (id: string): string => domains.data?.find((one) => one.id === id)?.name ?? id;
    return [
      {
        key: 'name',
        title: kit.name,
        render: ({ id, name }) => <ResourceLink to="/projects" id={id} name={name} />,
        value: ({ name }) => name,
      },
      {
        key: 'description',
        title: kit.description,
        render: ({ description }) => description,
        value: ({ description }) => description,
      },
      {
        key: 'state',
        title: kit.state,
        render: ({ enabled }) => (
          <StateTag state={enabled ? 'enabled' : 'disabled'}>{enabled ? t.enabled : t.disabled}</StateTag>
        ),
        value: ({ enabled }) => (enabled ? t.enabled : t.disabled),
        filter: true,
      },
      {
        key: 'domain',
        title: t.domain,
        render: ({ domain_id: id }) => domainName(id),
        value: ({ domain_id: id }) => domainName(id),
        filter: true,
      },
      { key: 'id', title: kit.id, render: ({ id }) => <Id id={id} />, value: ({ id }) => id, hidden: true },
      {
        key: 'actions',
        title: kit.actions,
        width: 90,
        render: (project) => {
          const refusal = actions.refusal(project);
          return (
            <ActionMenu
              label={`${kit.actions}: ${project.name}`}
              items={[
                { key: 'edit', label: kit.edit, run: () => setForm({ project }) },
                project.enabled
                  ? { key: 'disable', label: t.disable, why: refusal, run: () => actions.disable(project) }
                  : { key: 'enable', label: t.enable, run: () => actions.enable(project) },
                {
                  key: 'delete',
                  label: kit.delete,
                  danger: true,
                  why: refusal,
                  run: () => actions.remove([project], () => {}),
                },
              ]}
            />
          );
        },
      },
    ];
  }, [t, kit, domains.data, actions]);
  return (
    <PageFrame
      title={t.title}
      extra={
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setForm({ project: null })}>
          {t.create}
        </Button>
      }
    >
      <ResourceTable
        name="projects"
        label={t.title}
        query={query}
        columns={columns}
        rowKey={({ id }) => id}
        bulk={(rows, clear) => {
          const refusal = rows.map(actions.refusal).find((one) => one !== null) ?? null;
          return (
            <ActionButton
              danger
              icon={<DeleteOutlined />}
              why={refusal}
              onClick={() => actions.remove(rows, clear)}
            >
              {kit.delete}
            </ActionButton>
          );
        }}
      />
      <ProjectForm open={form !== null} project={form?.project ?? null} onClose={() => setForm(null)} />
    </PageFrame>
  );
}
