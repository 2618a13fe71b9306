// The list of security groups.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Typography } from 'antd';
import { useState } from 'react';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { ChangeButton } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { useProjectColumn } from '../owners.tsx';
import { YesNo } from '../parts.tsx';
import { portsQuery } from '../ports/api.ts';
import { networkText } from '../text.ts';
import {
  createSecurityGroup,
  deleteSecurityGroup,
  securityGroupsQuery,
  type Rule,
  type SecurityGroup,
} from './api.ts';
import { GroupFields, groupBody, type GroupValues } from './group-fields.tsx';
import { securityGroupsText } from './text.ts';

const countOf = (group: SecurityGroup, direction: Rule['direction']): number =>
  group.security_group_rules.filter((rule) => rule.direction === direction).length;

function CreateGroup({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(securityGroupsText);
  const navigate = useNavigate();
  const queries = useQueryClient();
  return (
    <FormDialog<GroupValues>
      title={t.create}
      open={open}
      onClose={onClose}
      initial={{ name: '', stateful: true }}
      submit={async (values) => {
        const id = await createSecurityGroup(groupBody(values));
        await queries.invalidateQueries({ queryKey: ['security-groups'] });
        await navigate({ to: `/security-groups/${id}` });
      }}
    >
      <GroupFields />
    </FormDialog>
  );
}

export function SecurityGroupsPage() {
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  const { ago, time } = useFormat();
  const groups = useQuery(securityGroupsQuery());
  const ports = useQuery(portsQuery());
  const [creating, setCreating] = useState(false);
  const used = new Map<string, number>();
  for (const port of ports.data ?? [])
    for (const id of port.security_groups) used.set(id, (used.get(id) ?? 0) + 1);
  const project = useProjectColumn<SecurityGroup>(general.project);

  const columns: Column<SecurityGroup>[] = [
    {
      key: 'name',
      title: general.name,
      value: ({ name }) => name,
      render: ({ name, id }) => <ResourceLink to="/security-groups" name={name} id={id} />,
    },
    {
      key: 'rules',
      title: t.rules,
      value: (group) => group.security_group_rules.length,
      render: (group) => t.rulesOf(countOf(group, 'ingress'), countOf(group, 'egress')),
    },
    {
      key: 'used',
      title: t.usedBy,
      value: ({ id }) => used.get(id) ?? 0,
      render: ({ id }) => t.ports(used.get(id) ?? 0),
    },
    ...project,
    {
      key: 'stateful',
      title: t.stateful,
      value: ({ stateful }) => (stateful ? general.yes : general.no),
      render: ({ stateful }) => <YesNo value={stateful} />,
    },
    {
      key: 'description',
      title: general.description,
      value: ({ description }) => description,
      render: ({ description }) => description,
    },
    {
      key: 'created',
      title: general.created,
      hidden: true,
      value: ({ created_at: at }) => at,
      render: ({ created_at: at }) => <span title={time(at)}>{ago(at)}</span>,
    },
  ];
  return (
    <PageFrame
      title={t.title}
      extra={
        <ChangeButton type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {t.create}
        </ChangeButton>
      }
    >
      <ResourceTable
        name="security-groups"
        label={t.title}
        query={groups}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Typography.Text type="secondary">{t.first}</Typography.Text>}
        bulk={(rows, clear) => (
          <BulkDelete
            rows={rows}
            clear={clear}
            mayDelete={({ name }) => name !== 'default'}
            nameOf={({ name }) => name}
            remove={({ id }) => deleteSecurityGroup(id)}
            lost={t.deleteText}
            refresh={[['security-groups']]}
          />
        )}
      />
      <CreateGroup open={creating} onClose={() => setCreating(false)} />
    </PageFrame>
  );
}
