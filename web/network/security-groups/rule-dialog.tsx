// The dialog of a new rule, which says in words what the rule will let through.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Alert, Flex, Form, Input, InputNumber, Radio, Select } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { portRange } from '../floating-ips/targets.ts';
import { networkText } from '../text.ts';
import { createRules, securityGroupsQuery, type SecurityGroup } from './api.ts';
import { explanation } from './explain.ts';
import { isWideOpen, type RuleLike } from './meaning.ts';
import { newRule, prefixVersion, presets, protocols, rulesOf, type RuleValues } from './rule-form.ts';
import { securityGroupsText } from './text.ts';

const likeOf = (group: SecurityGroup, values: RuleValues): RuleLike[] =>
  rulesOf(values).map((rule) => ({
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
    security_group_id: group.id,
    ...rule,
  }));

function Preview({ group, values }: { group: SecurityGroup; values: RuleValues }) {
  const t = useText(securityGroupsText);
  const words = useText(explanation);
  const nameOf = useGroupNames();
  const rules = likeOf(group, values);
  const wide = rules.some(isWideOpen);
  return (
    <Alert
      type={wide ? 'warning' : 'info'}
      role="status"
      title={t.ruleIs}
      description={
        <>
          {rules.map((rule) => (
            <div key={rule.ethertype}>{words.of(rule, nameOf)}</div>
          ))}
          {wide ? <strong>{t.wideOpenHint}</strong> : null}
        </>
      }
    />
  );
}

export function useGroupNames(): (id: string) => string {
  const { data } = useQuery(securityGroupsQuery());
  const names = new Map((data ?? []).map(({ id, name }) => [id, name]));
  return (id) => names.get(id) ?? id.slice(0, 8);
}

function Custom({ protocol }: { protocol: RuleValues['protocol'] }) {
  const t = useText(securityGroupsText);
  return (
    <Flex gap={12} wrap>
      <Form.Item name="protocol" label={t.protocol} required style={{ width: 120 }}>
        <Select options={protocols.map((value) => ({ value, label: t.protocols[value] }))} />
      </Form.Item>
      {protocol === 'tcp' || protocol === 'udp' ? (
        <Form.Item
          name="ports"
          label={t.portsLabel}
          extra={t.portsHint}
          style={{ flex: '1 1 220px' }}
          rules={[
            {
              validator: (_, value: string | undefined) =>
                (value ?? '').trim() === '' || portRange(value ?? '') !== null
                  ? Promise.resolve()
                  : Promise.reject(new Error(t.badPorts)),
            },
          ]}
        >
          <Input />
        </Form.Item>
      ) : null}
      {protocol === 'icmp' ? (
        <>
          <Form.Item name="icmpType" label={t.icmpType} extra={t.icmpHint}>
            <InputNumber min={0} max={255} precision={0} />
          </Form.Item>
          <Form.Item name="icmpCode" label={t.icmpCode}>
            <InputNumber min={0} max={255} precision={0} />
          </Form.Item>
        </>
      ) : null}
      {protocol === 'other' ? (
        <Form.Item
          name="other"
          label={t.otherProtocol}
          style={{ flex: '1 1 220px' }}
          rules={[{ required: true, whitespace: true }]}
        >
          <Input />
        </Form.Item>
      ) : null}
    </Flex>
  );
}

function Fields({ group }: { group: SecurityGroup }) {
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  const groups = useQuery(securityGroupsQuery({ project_id: group.project_id }));
  const form = Form.useFormInstance<RuleValues>();
  const values: RuleValues = { ...newRule, ...(Form.useWatch([], form) as Partial<RuleValues> | undefined) };
  return (
    <>
      <Form.Item name="direction" label={t.direction} required>
        <Radio.Group
          optionType="button"
          options={(['ingress', 'egress'] as const).map((value) => ({ value, label: t.directions[value] }))}
        />
      </Form.Item>
      <Form.Item name="preset" label={t.preset} required>
        <Select
          options={presets.map((value) => ({ value, label: t.presets[value] }))}
          listHeight={360}
          showSearch={{ optionFilterProp: 'label' }}
        />
      </Form.Item>
      {values.preset === 'custom' ? <Custom protocol={values.protocol} /> : null}
      <Form.Item name="peer" label={t.peer} required>
        <Radio.Group
          options={(['everyone', 'network', 'group'] as const).map((value) => ({
            value,
            label: t.peers[values.direction][value],
          }))}
        />
      </Form.Item>
      {values.peer === 'network' ? (
        <Form.Item
          name="cidr"
          label={t.network}
          required
          rules={[
            {
              validator: (_, value: string | undefined) =>
                prefixVersion(value?.trim() ?? '') === null
                  ? Promise.reject(new Error(t.badNetwork))
                  : Promise.resolve(),
            },
          ]}
        >
          <Input />
        </Form.Item>
      ) : (
        <Form.Item name="versions" label={t.version} required>
          <Radio.Group
            options={[
              { value: 'IPv4', label: 'IPv4' },
              { value: 'IPv6', label: 'IPv6' },
              { value: 'both', label: t.bothVersions },
            ]}
          />
        </Form.Item>
      )}
      {values.peer === 'group' ? (
        <Form.Item name="groupId" label={general.securityGroup} rules={[{ required: true }]}>
          <Select
            loading={groups.isPending}
            showSearch={{ optionFilterProp: 'label' }}
            options={(groups.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          />
        </Form.Item>
      ) : null}
      <Form.Item name="description" label={general.description}>
        <Input maxLength={255} />
      </Form.Item>
      <Preview group={group} values={values} />
    </>
  );
}

export function RuleDialog({
  group,
  open,
  onClose,
}: {
  group: SecurityGroup;
  open: boolean;
  onClose(): void;
}) {
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  const queries = useQueryClient();
  return (
    <FormDialog<RuleValues>
      title={t.addRule}
      open={open}
      onClose={onClose}
      okText={general.add}
      initial={{ ...newRule, groupId: group.id }}
      submit={async (values) => {
        await createRules(group.id, rulesOf({ ...newRule, ...values }));
        await queries.invalidateQueries({ queryKey: ['security-groups'] });
      }}
    >
      <Fields group={group} />
    </FormDialog>
  );
}
