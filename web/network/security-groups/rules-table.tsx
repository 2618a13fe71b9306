// The rules of a security group, each in words.
import { DeleteOutlined, PlusOutlined, WarningOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Alert, Flex, Tag, Tooltip, Typography } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { ChangeButton, RowActions } from '../../kit/change-button.tsx';
import { useText } from '../../kit/language.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { toneInk } from '../../kit/state.tsx';
import { networkText } from '../text.ts';
import { deleteRule, securityGroupQuery, type Rule, type SecurityGroup } from './api.ts';
import { explanation } from './explain.ts';
import { isWideOpen, meaningOf } from './meaning.ts';
import { RuleDialog, useGroupNames } from './rule-dialog.tsx';
import { securityGroupsText } from './text.ts';

/** '22', '8000–8010', '' for all. */
const portsText = (rule: Rule): string => {
  const { traffic } = meaningOf(rule);
  if (traffic.kind === 'icmp')
    return traffic.type === null
      ? ''
      : [traffic.type, traffic.code].filter((one) => one !== null).join(' / ');
  if (traffic.kind !== 'ports' || traffic.ports === null) return '';
  const { first, last } = traffic.ports;
  return first === last ? String(first) : `${first}–${last}`;
};

export function RulesTable({ group }: { group: SecurityGroup }) {
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  const words = useText(explanation);
  const nameOf = useGroupNames();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const [adding, setAdding] = useState(false);
  const rules = useQuery({
    ...securityGroupQuery(group.id),
    select: (data) =>
      data.security_group_rules.toSorted(
        (a, b) => b.direction.localeCompare(a.direction) || a.ethertype.localeCompare(b.ethertype),
      ),
  });
  const refresh = (): Promise<unknown> => queries.invalidateQueries({ queryKey: ['security-groups'] });
  const missing = (direction: Rule['direction']): boolean =>
    !group.security_group_rules.some((rule) => rule.direction === direction);

  const columns: Column<Rule>[] = [
    {
      key: 'direction',
      title: t.direction,
      filter: true,
      value: ({ direction }) => t.directions[direction],
      render: ({ direction }) => (
        <Tag color={direction === 'ingress' ? 'blue' : 'default'}>{t.directions[direction]}</Tag>
      ),
    },
    {
      key: 'words',
      title: t.ruleIs,
      value: (rule) => words.of(rule, nameOf),
      render: (rule) => (
        <div style={{ minWidth: 260, maxWidth: 640, whiteSpace: 'normal' }}>
          {words.of(rule, nameOf)}{' '}
          {isWideOpen(rule) ? (
            <Tooltip title={t.wideOpenHint}>
              <Tag color="warning" icon={<WarningOutlined />} tabIndex={0} style={{ color: toneInk.warning }}>
                {t.wideOpen}
              </Tag>
            </Tooltip>
          ) : null}
          {rule.description === '' ? null : (
            <Typography.Text type="secondary" style={{ display: 'block' }}>
              {rule.description}
            </Typography.Text>
          )}
        </div>
      ),
    },
    {
      key: 'version',
      title: t.version,
      filter: true,
      value: ({ ethertype }) => ethertype,
      render: ({ ethertype }) => ethertype,
    },
    {
      key: 'protocol',
      title: t.protocol,
      filter: true,
      value: ({ protocol }) => protocol?.toUpperCase() ?? t.protocols.any,
      render: ({ protocol }) => protocol?.toUpperCase() ?? t.protocols.any,
    },
    {
      key: 'ports',
      title: t.portsLabel,
      value: portsText,
      render: (rule) => (portsText(rule) === '' ? t.all : portsText(rule)),
    },
    {
      key: 'actions',
      title: general.actions,
      width: 80,
      render: (rule) => (
        <RowActions
          of={words.of(rule, nameOf)}
          actions={[
            {
              key: 'delete',
              label: general.delete,
              icon: <DeleteOutlined />,
              danger: true,
              run: () =>
                confirm({
                  title: t.deleteRuleTitle,
                  content: t.deleteRuleText(words.of(rule, nameOf)),
                  okText: general.delete,
                  run: async () => {
                    await deleteRule(rule.id);
                    await refresh();
                  },
                }),
            },
          ]}
        />
      ),
    },
  ];
  return (
    <Flex vertical gap={12}>
      {missing('ingress') ? <Alert type="info" showIcon title={t.noIngress} /> : null}
      {missing('egress') ? <Alert type="warning" showIcon title={t.noEgress} /> : null}
      <ResourceTable
        name="security-group-rules"
        label={t.rules}
        query={rules}
        columns={columns}
        rowKey={({ id }) => id}
        toolbar={
          <ChangeButton type="primary" icon={<PlusOutlined />} onClick={() => setAdding(true)}>
            {t.addRule}
          </ChangeButton>
        }
        bulk={(rows, clear) => (
          <BulkDelete
            rows={rows}
            clear={clear}
            nameOf={(rule) => words.of(rule, nameOf)}
            remove={({ id }) => deleteRule(id)}
            lost={t.deleteRulesText}
            refresh={[['security-groups']]}
          />
        )}
      />
      <RuleDialog group={group} open={adding} onClose={() => setAdding(false)} />
    </Flex>
  );
}
