// One group: who is in it, and which roles it gives them.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { App, Button, Descriptions, Form, Select, Skeleton, Tabs } from 'antd';
import { useMemo, useState } from 'react';
import { ActionMenu } from '../../kit/action-button.tsx';
import { forEach, useConfirm } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { RolesOf } from '../assignments/roles-of.tsx';
import { DomainName } from '../projects/domain-name.tsx';
import { usersQuery, type User } from '../users/api.ts';
import { addToGroup, groupQuery, membersOfGroupQuery, removeFromGroup, type Group } from './api.ts';
import { GroupForm } from './group-form.tsx';
import { groupText } from './text.ts';
import { useDeleteGroup } from './use-delete-group.ts';

function AddMembers({
  group,
  members,
  open,
  onClose,
}: {
  group: Group;
  members: readonly User[];
  open: boolean;
  onClose(): void;
}) {
  const t = useText(groupText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  const users = useQuery({ ...usersQuery, enabled: open });
  const options =
    users.data
      ?.filter(({ id }) => !members.some((one) => one.id === id))
      .map(({ id, name }) => ({ value: id, label: name })) ?? [];
  return (
    <FormDialog<{ users: string[] }>
      title={t.add}
      okText={t.add}
      open={open}
      onClose={onClose}
      initial={{ users: [] }}
      submit={async ({ users: chosen }) => {
        try {
          await forEach(chosen, (id) => addToGroup(group.id, id));
        } finally {
          await queries.invalidateQueries({ queryKey: ['groups', group.id] });
        }
        message.success(t.added);
      }}
    >
      <Form.Item name="users" label={t.users} rules={[{ required: true, message: kit.required }]}>
        <Select
          autoFocus
          mode="multiple"
          showSearch={{ optionFilterProp: 'label' }}
          loading={users.isPending}
          options={options}
        />
      </Form.Item>
    </FormDialog>
  );
}

function MembersOf({ group }: { group: Group }) {
  const t = useText(groupText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(membersOfGroupQuery(group.id));
  const [adding, setAdding] = useState(false);
  const columns = useMemo(
    (): Column<User>[] => [
      {
        key: 'name',
        title: t.user,
        render: ({ id, name }) => <ResourceLink to="/users" id={id} name={name} />,
        value: ({ name }) => name,
      },
      { key: 'email', title: t.email, render: ({ email }) => email, value: ({ email }) => email },
      {
        key: 'actions',
        title: kit.actions,
        width: 110,
        render: (user) => (
          <Button
            type="link"
            danger
            size="small"
            aria-label={`${t.remove}: ${user.name}`}
            onClick={() =>
              confirm({
                title: t.removeTitle(user.name, group.name),
                content: t.removeLoses,
                okText: t.remove,
                run: async () => {
                  await removeFromGroup(group.id, user.id);
                  await queries.invalidateQueries({ queryKey: ['groups', group.id] });
                },
              })
            }
          >
            {t.remove}
          </Button>
        ),
      },
    ],
    [t, kit, confirm, queries, group],
  );
  return (
    <>
      <ResourceTable
        name="group-members"
        label={t.members}
        query={query}
        columns={columns}
        rowKey={({ id }) => id}
        toolbar={
          <Button icon={<PlusOutlined />} onClick={() => setAdding(true)}>
            {t.add}
          </Button>
        }
        empty={t.noMembers}
      />
      <AddMembers group={group} members={query.data ?? []} open={adding} onClose={() => setAdding(false)} />
    </>
  );
}

function Shown({ group }: { group: Group }) {
  const t = useText(groupText);
  const kit = useText(kitText);
  const navigate = useNavigate();
  const remove = useDeleteGroup();
  const [editing, setEditing] = useState(false);
  return (
    <PageFrame
      title={group.name}
      crumbs={[{ title: t.title, to: '/groups' }]}
      extra={
        <>
          <Button onClick={() => setEditing(true)}>{kit.edit}</Button>
          <ActionMenu
            label={kit.more}
            items={[
              {
                key: 'delete',
                label: kit.delete,
                danger: true,
                run: () => remove(group, () => void navigate({ to: '/groups' })),
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
          { key: 'id', label: kit.id, children: <Id id={group.id} /> },
          { key: 'domain', label: t.domain, children: <DomainName id={group.domain_id} /> },
        ]}
      />
      <Tabs
        items={[
          { key: 'members', label: t.members, children: <MembersOf group={group} /> },
          { key: 'roles', label: t.roles, children: <RolesOf of={{ kind: 'group', id: group.id }} /> },
        ]}
      />
      <GroupForm open={editing} group={group} onClose={() => setEditing(false)} />
    </PageFrame>
  );
}

export function GroupPage() {
  const t = useText(groupText);
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const query = useQuery(groupQuery(id));
  if (query.data !== undefined) return <Shown group={query.data} />;
  return (
    <PageFrame title={t.title} crumbs={[{ title: t.title, to: '/groups' }]}>
      {query.error === null ? <Skeleton active /> : <Problem error={query.error} />}
    </PageFrame>
  );
}
