// The roles of the cloud, and which give others with them.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { App, Button, Flex, Form, Input, Select, Tag } from 'antd';
import { useMemo, useState } from 'react';
import { ActionMenu } from '../../kit/action-button.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import {
  createRole,
  deleteRole,
  imply,
  implyNot,
  inferencesQuery,
  rolesQuery,
  updateRole,
  type Role,
} from './api.ts';
import { impliedBy } from './implied.ts';
import { roleText } from './text.ts';

type Fields = { name: string; description: string; implies: string[] };

function RoleForm({ role, open, onClose }: { role: Role | null; open: boolean; onClose(): void }) {
  const t = useText(roleText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  const roles = useQuery(rolesQuery);
  const inferences = useQuery(inferencesQuery);
  const now =
    inferences.data?.find(({ prior_role: prior }) => prior.id === role?.id)?.implies.map(({ id }) => id) ??
    [];
  const save = async ({ name, description, implies }: Fields): Promise<void> => {
    if (role === null) await createRole({ name, description });
    else {
      if (name !== role.name || description !== role.description)
        await updateRole(role.id, { name, description });
      for (const id of implies.filter((one) => !now.includes(one))) await imply(role.id, id);
      for (const id of now.filter((one) => !implies.includes(one))) await implyNot(role.id, id);
    }
    message.success(role === null ? t.created : t.changed);
    await Promise.all(
      [['roles'], ['role-inferences']].map((queryKey) => queries.invalidateQueries({ queryKey })),
    );
  };
  return (
    <FormDialog<Fields>
      title={role === null ? t.create : t.edit}
      okText={role === null ? kit.create : kit.save}
      open={open}
      onClose={onClose}
      initial={{ name: role?.name ?? '', description: role?.description ?? '', implies: now }}
      submit={save}
    >
      <Form.Item name="name" label={kit.name} rules={[{ required: true, message: kit.required }]}>
        <Input autoFocus maxLength={255} />
      </Form.Item>
      <Form.Item name="description" label={kit.description}>
        <Input />
      </Form.Item>
      <Form.Item name="implies" label={t.implies} extra={t.impliesHint} hidden={role === null}>
        <Select
          mode="multiple"
          showSearch={{ optionFilterProp: 'label' }}
          options={
            roles.data
              ?.filter(({ id }) => id !== role?.id)
              .map(({ id, name }) => ({ value: id, label: name })) ?? []
          }
        />
      </Form.Item>
    </FormDialog>
  );
}

export function RolesPage() {
  const t = useText(roleText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(rolesQuery);
  const inferences = useQuery(inferencesQuery);
  const [form, setForm] = useState<{ role: Role | null } | null>(null);
  const columns = useMemo((): Column<Role>[] => {
    const meaning = ({ name, description }: Role): string =>
      description !== '' ? description : ((t.meanings as Record<string, string>)[name] ?? '');
    const implied = ({ id }: Role) => impliedBy(id, inferences.data ?? []);
    const direct = ({ id }: Role): string[] =>
      inferences.data?.find(({ prior_role: prior }) => prior.id === id)?.implies.map((one) => one.id) ?? [];
    return [
      { key: 'name', title: kit.name, render: ({ name }) => name, value: ({ name }) => name },
      { key: 'description', title: kit.description, render: meaning, value: meaning },
      {
        key: 'implies',
        title: t.implies,
        render: (role) => (
          <Flex gap={4} wrap>
            {implied(role).map(({ id, name }) =>
              direct(role).includes(id) ? (
                <Tag key={id} variant="filled">
                  {name}
                </Tag>
              ) : (
                <Tag key={id} variant="outlined" title={t.through}>
                  {name}
                </Tag>
              ),
            )}
          </Flex>
        ),
        value: (role) =>
          implied(role)
            .map(({ name }) => name)
            .join(' '),
      },
      {
        key: 'scope',
        title: t.scope,
        render: ({ domain_id: id }) => id ?? t.cloud,
        value: ({ domain_id: id }) => id ?? t.cloud,
        hidden: true,
      },
      { key: 'id', title: kit.id, render: ({ id }) => <Id id={id} />, value: ({ id }) => id, hidden: true },
      {
        key: 'actions',
        title: kit.actions,
        width: 90,
        render: (role) => {
          const refusal = role.options?.immutable === true ? t.immutable : null;
          return (
            <ActionMenu
              label={`${kit.actions}: ${role.name}`}
              items={[
                { key: 'edit', label: kit.edit, why: refusal, run: () => setForm({ role }) },
                {
                  key: 'delete',
                  label: kit.delete,
                  danger: true,
                  why: refusal,
                  run: () =>
                    confirm({
                      title: t.deleteTitle(role.name),
                      content: t.deleteLoses,
                      okText: kit.delete,
                      run: async () => {
                        await deleteRole(role.id);
                        await queries.invalidateQueries({ queryKey: ['roles'] });
                      },
                    }),
                },
              ]}
            />
          );
        },
      },
    ];
  }, [t, kit, inferences.data, confirm, queries]);
  return (
    <PageFrame
      title={t.title}
      extra={
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setForm({ role: null })}>
          {t.create}
        </Button>
      }
    >
      <ResourceTable name="roles" label={t.title} query={query} columns={columns} rowKey={({ id }) => id} />
      <RoleForm open={form !== null} role={form?.role ?? null} onClose={() => setForm(null)} />
    </PageFrame>
  );
}
