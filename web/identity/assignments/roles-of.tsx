// The roles of a user or a group: where, and which.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { App, Button, Form, Select, Tag } from 'antd';
import { useCallback, useMemo, useState } from 'react';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { projectsQuery } from '../projects/api.ts';
import { rolesQuery } from '../roles/api.ts';
import { assignmentKey, grantInProject, rolesOfQuery, type Actor, type Assignment } from './api.ts';
import { useGrantColumns } from './grant-columns.tsx';
import { assignmentText } from './text.ts';

function GiveRole({ of, open, onClose }: { of: Actor; open: boolean; onClose(): void }) {
  const t = useText(assignmentText);
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
      title={t.give}
      okText={t.give}
      open={open}
      onClose={onClose}
      initial={{}}
      submit={async ({ project, role }) => {
        await grantInProject(project, of, role);
        message.success(t.given);
        await queries.invalidateQueries({ queryKey: ['assignments'] });
      }}
    >
      {choice('project', t.project, projects)}
      {choice('role', t.role, roles)}
    </FormDialog>
  );
}

/** What a user or a group was given itself; what a user has by its groups shows there. */
export function RolesOf({ of }: { of: Actor }) {
  const t = useText(assignmentText);
  const whereOf = useCallback(
    ({ scope }: Assignment): string => scope.project?.name ?? scope.domain?.name ?? t.system,
    [t],
  );
  const grants = useGrantColumns(
    useCallback((one) => `${one.role.name}, ${whereOf(one)}`, [whereOf]),
    useCallback((one) => t.takeTitle(one.role.name, whereOf(one)), [t, whereOf]),
  );
  const query = useQuery(rolesOfQuery(of));
  const [giving, setGiving] = useState(false);
  const columns = useMemo(
    (): Column<Assignment>[] => [
      {
        key: 'where',
        title: t.where,
        render: (one) =>
          one.scope.project === undefined ? (
            <>
              {whereOf(one)} {one.scope.domain === undefined ? null : <Tag>{t.domain}</Tag>}
            </>
          ) : (
            <ResourceLink to="/projects" id={one.scope.project.id} name={one.scope.project.name} />
          ),
        value: whereOf,
      },
      ...grants,
    ],
    [t, grants, whereOf],
  );
  return (
    <>
      <ResourceTable
        name="roles-of"
        label={t.roles}
        query={query}
        columns={columns}
        rowKey={assignmentKey}
        toolbar={
          <Button icon={<PlusOutlined />} onClick={() => setGiving(true)}>
            {t.give}
          </Button>
        }
        empty={t.noRoles}
      />
      <GiveRole of={of} open={giving} onClose={() => setGiving(false)} />
    </>
  );
}
