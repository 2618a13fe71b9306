// All groups of the cloud.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button, Typography } from 'antd';
import { useMemo, useState } from 'react';
import { ActionMenu } from '../../kit/action-button.tsx';
import { useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { DomainName } from '../projects/domain-name.tsx';
import { groupsQuery, type Group } from './api.ts';
import { GroupForm } from './group-form.tsx';
import { groupText } from './text.ts';
import { useDeleteGroup } from './use-delete-group.ts';

export function GroupsPage() {
  const t = useText(groupText);
  const kit = useText(kitText);
  const query = useQuery(groupsQuery);
  const remove = useDeleteGroup();
  const [form, setForm] = useState<{ group: Group | null } | null>(null);
  const columns = useMemo(
    (): Column<Group>[] => [
      {
        key: 'name',
        title: kit.name,
        render: ({ id, name }) => <ResourceLink to="/groups" id={id} name={name} />,
        value: ({ name }) => name,
      },
      {
        key: 'description',
        title: kit.description,
        render: ({ description }) => description,
        value: ({ description }) => description,
      },
      {
        key: 'domain',
        title: t.domain,
        render: ({ domain_id: id }) => <DomainName id={id} />,
        value: ({ domain_id: id }) => id,
      },
      { key: 'id', title: kit.id, render: ({ id }) => <Id id={id} />, value: ({ id }) => id, hidden: true },
      {
        key: 'actions',
        title: kit.actions,
        width: 90,
        render: (group) => (
          <ActionMenu
            label={`${kit.actions}: ${group.name}`}
            items={[
              { key: 'edit', label: kit.edit, run: () => setForm({ group }) },
              { key: 'delete', label: kit.delete, danger: true, run: () => remove(group, () => {}) },
            ]}
          />
        ),
      },
    ],
    [t, kit, remove],
  );
  return (
    <PageFrame
      title={t.title}
      extra={
        <Button type="primary" icon={<PlusOutlined />} onClick={() => setForm({ group: null })}>
          {t.create}
        </Button>
      }
    >
      <Typography.Text type="secondary">{t.hint}</Typography.Text>
      <ResourceTable name="groups" label={t.title} query={query} columns={columns} rowKey={({ id }) => id} />
      <GroupForm open={form !== null} group={form?.group ?? null} onClose={() => setForm(null)} />
    </PageFrame>
  );
}
