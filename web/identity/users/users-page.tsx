// All users of the cloud.
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { useMemo, useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { domainsQuery, projectsQuery } from '../projects/api.ts';
import { usersQuery, type User } from './api.ts';
import { userText } from './text.ts';
import { useUserActions } from './use-user-actions.ts';
import { CreateUser, EditUser, SetPassword } from './user-form.tsx';

export function UsersPage() {
  const t = useText(userText);
  const kit = useText(kitText);
  const format = useFormat();
  const query = useQuery(usersQuery);
  const domains = useQuery(domainsQuery);
  const projects = useQuery(projectsQuery);
  const actions = useUserActions();
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<User | null>(null);
  const [renewed, setRenewed] = useState<User | null>(null);
  const columns = useMemo((): Column<User>[] => {
    const domainName = (id: string): string => domains.data?.find((one) => one.id === id)?.name ?? id;
    const projectName = (id: string | undefined): string =>
      id === undefined ? '' : (projects.data?.find((one) => one.id === id)?.name ?? id);
    return [
      {
        key: 'name',
        title: kit.name,
        render: ({ id, name }) => <ResourceLink to="/users" id={id} name={name} />,
        value: ({ name }) => name,
      },
      { key: 'email', title: t.email, render: ({ email }) => email, value: ({ email }) => email },
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
        key: 'project',
        title: t.project,
        render: ({ default_project_id: id }) =>
          id === undefined ? null : <ResourceLink to="/projects" id={id} name={projectName(id)} />,
        value: ({ default_project_id: id }) => projectName(id),
        filter: true,
      },
      {
        key: 'domain',
        title: t.domain,
        render: ({ domain_id: id }) => domainName(id),
        value: ({ domain_id: id }) => domainName(id),
        filter: true,
      },
      {
        key: 'expires',
        title: t.expires,
        render: ({ password_expires_at: at }) => (at === null ? t.never : format.time(at)),
        value: ({ password_expires_at: at }) => at,
        hidden: true,
      },
      { key: 'id', title: kit.id, render: ({ id }) => <Id id={id} />, value: ({ id }) => id, hidden: true },
      {
        key: 'actions',
        title: kit.actions,
        width: 90,
        render: (user) => {
          const refusal = actions.refusal(user);
          return (
            <ActionMenu
              label={`${kit.actions}: ${user.name}`}
              items={[
                { key: 'edit', label: kit.edit, run: () => setEdited(user) },
                { key: 'password', label: t.setPassword, run: () => setRenewed(user) },
                user.enabled
                  ? { key: 'disable', label: t.disable, why: refusal, run: () => actions.disable(user) }
                  : { key: 'enable', label: t.enable, run: () => actions.enable(user) },
                {
                  key: 'delete',
                  label: kit.delete,
                  danger: true,
                  why: refusal,
                  run: () => actions.remove([user], () => {}),
                },
              ]}
            />
          );
        },
      },
    ];
  }, [t, kit, format, domains.data, projects.data, actions]);
  return (
    <PageFrame
      title={t.title}
      extra={
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {t.create}
        </Button>
      }
    >
      <ResourceTable
        name="users"
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
      <CreateUser open={creating} onClose={() => setCreating(false)} />
      <EditUser user={edited} onClose={() => setEdited(null)} />
      <SetPassword user={renewed} onClose={() => setRenewed(null)} />
    </PageFrame>
  );
}
