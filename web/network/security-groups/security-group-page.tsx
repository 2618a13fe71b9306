// One security group and its rules.
import { DeleteOutlined, EditOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Card, Descriptions, type DescriptionsProps } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { ChangeButton } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Pending } from '../../kit/pending.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import { YesNo } from '../parts.tsx';
import { portsQuery } from '../ports/api.ts';
import { networkText } from '../text.ts';
import { deleteSecurityGroup, securityGroupQuery, updateSecurityGroup, type SecurityGroup } from './api.ts';
import { GroupFields, groupBody, type GroupValues } from './group-fields.tsx';
import { RulesTable } from './rules-table.tsx';
import { securityGroupsText } from './text.ts';

function Facts({ group }: { group: SecurityGroup }) {
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  const { time } = useFormat();
  const ports = useQuery(portsQuery({ security_groups: group.id }));
  const items: DescriptionsProps['items'] = [
    { key: 'id', label: general.id, children: <Id id={group.id} /> },
    { key: 'used', label: t.usedBy, children: ports.data === undefined ? '…' : t.ports(ports.data.length) },
    { key: 'stateful', label: t.stateful, children: <YesNo value={group.stateful} /> },
    { key: 'project', label: general.project, children: <ProjectName id={group.project_id} /> },
    { key: 'shared', label: t.shared, children: <YesNo value={group.shared} /> },
    { key: 'created', label: general.created, children: time(group.created_at) },
    ...(group.description === ''
      ? []
      : [{ key: 'description', label: general.description, children: group.description }]),
  ];
  return (
    <Card size="small">
      <Descriptions items={items} column={{ xs: 1, md: 2, xl: 3 }} size="small" />
    </Card>
  );
}

export function SecurityGroupPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const group = useQuery(securityGroupQuery(id));
  const [editing, setEditing] = useState(false);
  const crumbs = [{ title: t.title, to: '/security-groups' }];
  const { data, error } = group;
  if (data === undefined)
    return (
      <PageFrame title={general.securityGroup} crumbs={crumbs}>
        <Pending query={group} />
      </PageFrame>
    );
  const isDefault = data.name === 'default';
  return (
    <PageFrame
      title={data.name}
      crumbs={crumbs}
      extra={
        <>
          <ChangeButton icon={<EditOutlined />} onClick={() => setEditing(true)}>
            {general.edit}
          </ChangeButton>
          <ChangeButton
            danger
            icon={<DeleteOutlined />}
            why={isDefault ? t.isDefault : null}
            onClick={() =>
              confirm({
                title: t.deleteTitle(data.name),
                content: t.deleteText,
                okText: general.delete,
                run: async () => {
                  await deleteSecurityGroup(id);
                  await navigate({ to: '/security-groups' });
                  queries.removeQueries({ queryKey: ['security-groups', 'one', id] });
                  await queries.invalidateQueries({ queryKey: ['security-groups'] });
                },
              })
            }
          >
            {general.delete}
          </ChangeButton>
        </>
      }
    >
      {error === null ? null : <Problem error={error} retry={() => void group.refetch()} />}
      <Facts group={data} />
      <RulesTable group={data} />
      <FormDialog<GroupValues>
        title={t.edit}
        open={editing}
        onClose={() => setEditing(false)}
        okText={general.save}
        initial={{ name: data.name, description: data.description, stateful: data.stateful }}
        submit={async (values) => {
          await updateSecurityGroup(id, groupBody(values, isDefault));
          await queries.invalidateQueries({ queryKey: ['security-groups'] });
        }}
      >
        <GroupFields fixed={isDefault} />
      </FormDialog>
    </PageFrame>
  );
}
