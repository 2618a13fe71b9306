// One user: the roles it has, and what it did.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { App, Button, Descriptions, Form, Select, Skeleton, Tabs, Tag } from 'antd';
import { useMemo, useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { EventList } from '../../audit/event-list.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { DomainName } from '../projects/domain-name.tsx';
import {
  assignmentKey,
  grantInProject,
  projectsQuery,
  revokeGrant,
  rolesOfUserQuery,
  type Assignment,
} from '../projects/api.ts';
import { rolesQuery } from '../roles/api.ts';
import { userQuery, type User } from './api.ts';
import { userText } from './text.ts';
import { useUserActions } from './use-user-actions.ts';
import { EditUser, SetPassword } from './user-form.tsx';

function GiveRole({ user, open, onClose }: { user: User; open: boolean; onClose(): void }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  const projects = useQuery({ ...projectsQuery, enabled: open });
  const roles = useQuery({ ...rolesQuery, enabled: open });
  const choice = (name: 'project' | 'role', label: string, from: typeof projects | typeof roles) => (
    <Form.Item name={name} label={label} rules={[{ required: true, message: kit.required }]}>
      <Select
        showSearch={{ optionFilterProp: 'label' }}
        loading={from.isPending}
        options={from.data?.map((one) => ({ value: one.id, label: one.name })) ?? []}
      />
    </Form.Item>
  );
  return (
    <FormDialog<{ project: string; role: string }>
      title={t.giveRole}
      okText={t.giveRole}
      open={open}
      onClose={onClose}
      initial={{}}
      submit={async ({ project, role }) => {
        await grantInProject(project, user.id, role);
        message.success(t.given);
        await queries.invalidateQueries({ queryKey: ['assignments'] });
      }}
    >
      {choice('project', t.projectScope, projects)}
      {choice('role', t.roles, roles)}
    </FormDialog>
  );
}

function RolesOfUser({ user }: { user: User }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(rolesOfUserQuery(user.id));
  const [giving, setGiving] = useState(false);
  const columns = useMemo((): Column<Assignment>[] => {
    const whereOf = ({ scope }: Assignment): string => scope.project?.name ?? scope.domain?.name ?? t.system;
    return [
      {
        key: 'where',
        title: t.where,
        render: (one) =>
          one.scope.project === undefined ? (
            <>
              {whereOf(one)} {one.scope.domain === undefined ? null : <Tag>{t.domainScope}</Tag>}
            </>
          ) : (
            <ResourceLink to="/projects" id={one.scope.project.id} name={one.scope.project.name} />
          ),
        value: whereOf,
      },
      {
        key: 'role',
        title: t.roles,
        render: ({ role, group, scope }) => (
          <>
            <Tag variant="filled">{role.name}</Tag>
            {group === undefined ? null : `${t.viaGroup} ${group.name} `}
            {scope['OS-INHERIT:inherited_to'] === undefined ? null : t.inherited}
          </>
        ),
        value: ({ role }) => role.name,
        filter: true,
      },
      {
        key: 'actions',
        title: kit.actions,
        width: 110,
        render: (one) => (
          <Button
            type="link"
            danger
            size="small"
            aria-label={`${t.take}: ${one.role.name}, ${whereOf(one)}`}
            onClick={() =>
              confirm({
                title: t.takeTitle(one.role.name, whereOf(one)),
                content: t.takeLoses,
                okText: t.take,
                run: async () => {
                  await revokeGrant(one);
                  await queries.invalidateQueries({ queryKey: ['assignments'] });
                },
              })
            }
          >
            {t.take}
          </Button>
        ),
      },
    ];
  }, [t, kit, confirm, queries]);
  return (
    <>
      <ResourceTable
        name="roles-of-user"
        label={t.roles}
        query={query}
        columns={columns}
        rowKey={assignmentKey}
        toolbar={
          <Button icon={<PlusOutlined />} onClick={() => setGiving(true)}>
            {t.giveRole}
          </Button>
        }
        empty={t.noRoles}
      />
      <GiveRole user={user} open={giving} onClose={() => setGiving(false)} />
    </>
  );
}

function Shown({ user }: { user: User }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const format = useFormat();
  const actions = useUserActions();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const [renewing, setRenewing] = useState(false);
  const refusal = actions.refusal(user);
  return (
    <PageFrame
      title={user.name}
      crumbs={[{ title: t.title, to: '/users' }]}
      extra={
        <>
          <StateTag state={user.enabled ? 'enabled' : 'disabled'}>
            {user.enabled ? t.enabled : t.disabled}
          </StateTag>
          <Button onClick={() => setEditing(true)}>{kit.edit}</Button>
          <Button onClick={() => setRenewing(true)}>{t.setPassword}</Button>
          {user.enabled ? (
            <ActionButton why={refusal} onClick={() => actions.disable(user)}>
              {t.disable}
            </ActionButton>
          ) : (
            <Button onClick={() => actions.enable(user)}>{t.enable}</Button>
          )}
          <ActionMenu
            label={kit.more}
            items={[
              {
                key: 'delete',
                label: kit.delete,
                danger: true,
                why: refusal,
                run: () => actions.remove([user], () => void navigate({ to: '/users' })),
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
          { key: 'id', label: kit.id, children: <Id id={user.id} /> },
          { key: 'domain', label: t.domain, children: <DomainName id={user.domain_id} /> },
          { key: 'email', label: t.email, children: user.email ?? '' },
          {
            key: 'expires',
            label: t.expires,
            children: user.password_expires_at === null ? t.never : format.time(user.password_expires_at),
          },
        ]}
      />
      <Tabs
        items={[
          { key: 'roles', label: t.roles, children: <RolesOfUser user={user} /> },
          {
            key: 'activity',
            label: t.activity,
            children: <EventList filter={{ user_id: user.id }} limit={20} showUser={false} />,
          },
        ]}
      />
      <EditUser user={editing ? user : null} onClose={() => setEditing(false)} />
      <SetPassword user={renewing ? user : null} onClose={() => setRenewing(false)} />
    </PageFrame>
  );
}

export function UserPage() {
  const t = useText(userText);
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const query = useQuery(userQuery(id));
  if (query.data !== undefined) return <Shown user={query.data} />;
  return (
    <PageFrame title={t.title} crumbs={[{ title: t.title, to: '/users' }]}>
      {query.error === null ? <Skeleton active /> : <Problem error={query.error} />}
    </PageFrame>
  );
}
