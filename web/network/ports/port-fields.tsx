// The fields of a port.
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button, Flex, Form, Input, Select } from 'antd';
import { useText } from '../../kit/language.tsx';
import { LabelledSwitch } from '../parts.tsx';
import { securityGroupsQuery } from '../security-groups/api.ts';
import { subnetsQuery } from '../subnets/api.ts';
import { networkText } from '../text.ts';
import type { PortValues } from './form.ts';
import { portsText } from './text.ts';

function Pairs() {
  const t = useText(portsText);
  return (
    <Form.Item label={t.pairs} extra={t.pairsHint}>
      <Form.List name="pairs">
        {(fields, list) => (
          <Flex vertical gap={6}>
            {fields.map((field) => (
              <Flex key={field.key} gap={6}>
                <Form.Item name={[field.name, 'ip_address']} noStyle>
                  <Input placeholder={t.pairAddress} aria-label={t.pairAddress} />
                </Form.Item>
                <Form.Item name={[field.name, 'mac_address']} noStyle>
                  <Input placeholder={t.pairMac} aria-label={t.pairMac} />
                </Form.Item>
                <Button
                  type="text"
                  icon={<DeleteOutlined />}
                  aria-label={t.removePair}
                  title={t.removePair}
                  onClick={() => list.remove(field.name)}
                />
              </Flex>
            ))}
            <Button type="dashed" size="small" icon={<PlusOutlined />} onClick={() => list.add({})}>
              {t.addPair}
            </Button>
          </Flex>
        )}
      </Form.List>
    </Form.Item>
  );
}

/** `projectId`: whose port it is; security groups are of that project. */
export function PortFields({
  networkId,
  projectId,
  fixed,
}: {
  networkId: string;
  projectId: string | undefined;
  fixed: boolean;
}) {
  const t = useText(portsText);
  const general = useText(networkText);
  const form = Form.useFormInstance<PortValues>();
  const security = Form.useWatch('security', form) ?? true;
  const groups = useQuery(securityGroupsQuery({ project_id: projectId }));
  const subnets = useQuery(subnetsQuery(networkId));
  return (
    <>
      <Form.Item name="name" label={general.name}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
      {fixed ? null : (
        <Form.Item label={t.fixed} extra={t.fixedHint}>
          <Flex gap={6}>
            <Form.Item name="subnetId" noStyle>
              <Select
                allowClear
                placeholder={t.anySubnet}
                aria-label={general.subnet}
                style={{ flex: 1 }}
                options={(subnets.data ?? []).map(({ id, cidr, name }) => ({
                  value: id,
                  label: name === '' ? cidr : `${cidr} (${name})`,
                }))}
              />
            </Form.Item>
            <Form.Item name="address" noStyle>
              <Input placeholder={general.address} aria-label={general.address} style={{ flex: 1 }} />
            </Form.Item>
          </Flex>
        </Form.Item>
      )}
      <Form.Item name="security" valuePropName="checked">
        <LabelledSwitch label={t.security} hint={t.securityHint} />
      </Form.Item>
      {security ? (
        <>
          <Form.Item name="groups" label={t.groups} {...(fixed ? { extra: t.groupsHint } : {})}>
            <Select
              mode="multiple"
              loading={groups.isPending}
              placeholder={fixed ? general.none : t.groupsDefault}
              optionFilterProp="label"
              options={(groups.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
            />
          </Form.Item>
          <Pairs />
        </>
      ) : null}
      {fixed ? null : (
        <Form.Item name="mac" label={t.mac} extra={t.macHint}>
          <Input />
        </Form.Item>
      )}
      <Form.Item name="adminUp" valuePropName="checked">
        <LabelledSwitch label={general.adminState} hint={t.adminHint} />
      </Form.Item>
    </>
  );
}
