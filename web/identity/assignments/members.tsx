// Who has which role in a project.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { App, Button, Form, Select, Tag } from 'antd';
import { useCallback, useMemo, useState } from 'react';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { rolesQuery } from '../roles/api.ts';
import { UserName } from '../users/user-name.tsx';
import { usersQuery } from '../users/api.ts';
import { GroupName } from '../groups/group-name.tsx';
import { groupsQuery } from '../groups/api.ts';
import { assignmentKey, grantInProject, membersQuery, type Actor, type Assignment } from './api.ts';
import { useGrantColumns } from './grant-columns.tsx';
import { assignmentText } from './text.ts';

/** Roles that a person is given; the others are for programs and operators. */
const USUAL = ['member', 'reader', 'manager'];

/** One list offers both: the value says which. */
const choices = (kind: Actor['kind'], rows: readonly { id: string; name: string }[] | undefined) =>
  rows?.map(({ id, name }) => ({ value: `${kind} ${id}`, label: name })) ?? [];
function actorOf(value: string): Actor {
  const [kind, id = ''] = value.split(' ');
  return { kind: kind === 'group' ? 'group' : 'user', id };
}

function AddMember({ projectId, open, onClose }: { projectId: string; open: boolean; onClose(): void }) {
  const t = useText(assignmentText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  const users = useQuery({ ...usersQuery, enabled: open });
  const groups = useQuery({ ...groupsQuery, enabled: open });
  const roles = useQuery({ ...rolesQuery, enabled: open });
  const rank = (name: string): number => (USUAL.includes(name) ? USUAL.indexOf(name) : USUAL.length);
  const sorted = roles.data?.toSorted((a, b) => rank(a.name) - rank(b.name)) ?? [];
  return (
    <FormDialog<{ who: string; role: string }>
      title={t.addMember}
      okText={t.addMember}
      open={open}
      onClose={onClose}
      initial={{}}
      submit={async ({ who, role }) => {
        await grantInProject(projectId, actorOf(who), role);
        message.success(t.given);
        await queries.invalidateQueries({ queryKey: ['assignments'] });
      }}
    >
      <Form.Item name="who" label={t.who} rules={[{ required: true, message: kit.required }]}>
        <Select
          autoFocus
          showSearch={{ optionFilterProp: 'label' }}
          placeholder={t.search}
          loading={users.isPending}
          options={[
            { label: t.user, options: choices('user', users.data) },
            { label: t.group, options: choices('group', groups.data) },
          ].filter(({ options }) => options.length > 0)}
        />
      </Form.Item>
      <Form.Item name="role" label={t.role} rules={[{ required: true, message: kit.required }]}>
        <Select
          showSearch={{ optionFilterProp: 'label' }}
          loading={roles.isPending}
          options={sorted.map(({ id, name }) => ({ value: id, label: name }))}
        />
      </Form.Item>
    </FormDialog>
  );
}

const nameOf = ({ user, group }: Assignment): string => user?.name ?? group?.name ?? '';

export function Members({ projectId }: { projectId: string }) {
  const t = useText(assignmentText);
  const grants = useGrantColumns(
    useCallback((one) => `${nameOf(one)} ${one.role.name}`, []),
    useCallback((one) => t.removeTitle(nameOf(one), one.role.name), [t]),
  );
  const query = useQuery(membersQuery(projectId));
  const [adding, setAdding] = useState(false);
  const columns = useMemo(
    (): Column<Assignment>[] => [
      {
        key: 'user',
        title: t.user,
        render: ({ user, group }) =>
          user === undefined ? (
            <>
              <GroupName id={group?.id ?? ''} name={group?.name ?? ''} /> <Tag>{t.group}</Tag>
            </>
          ) : (
            <UserName id={user.id} name={user.name} />
          ),
        value: nameOf,
      },
      {
        key: 'domain',
        title: t.domain,
        render: ({ user, group }) => (user ?? group)?.domain?.name,
        value: ({ user, group }) => (user ?? group)?.domain?.name,
        hidden: true,
      },
      ...grants,
    ],
    [t, grants],
  );
  return (
    <>
      <ResourceTable
        name="members"
        label={t.members}
        query={query}
        columns={columns}
        rowKey={assignmentKey}
        toolbar={
          <Button icon={<PlusOutlined />} onClick={() => setAdding(true)}>
            {t.addMember}
          </Button>
        }
        empty={t.noMembers}
      />
      <AddMember projectId={projectId} open={adding} onClose={() => setAdding(false)} />
    </>
  );
}
