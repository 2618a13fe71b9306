// The fields of a subnet, in the dialog of a new network and in its own.
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { Button, Collapse, Flex, Form, Input, Radio, Select } from 'antd';
import { useText } from '../../kit/language.tsx';
import { cidrVersion, isAddress } from '../addresses.ts';
import { LabelledSwitch } from '../parts.tsx';
import { networkText } from '../text.ts';
import type { SubnetValues } from './form.ts';
import { subnetsText } from './text.ts';

type Pair = {
  name: 'pools' | 'routes';
  label: string;
  hint: string;
  keys: readonly [string, string];
  labels: readonly [string, string];
  add: string;
  remove: string;
};

function Pairs({ name, label, hint, keys, labels, add, remove }: Pair) {
  return (
    <Form.Item label={label} extra={hint}>
      <Form.List name={name}>
        {(fields, list) => (
          <Flex vertical gap={6}>
            {fields.map((field) => (
              <Flex key={field.key} gap={6}>
                {keys.map((key, at) => (
                  <Form.Item key={key} name={[field.name, key]} noStyle>
                    <Input placeholder={labels[at]} aria-label={`${label}: ${labels[at]}`} />
                  </Form.Item>
                ))}
                <Button
                  type="text"
                  icon={<DeleteOutlined />}
                  aria-label={remove}
                  title={remove}
                  onClick={() => list.remove(field.name)}
                />
              </Flex>
            ))}
            <Button type="dashed" size="small" icon={<PlusOutlined />} onClick={() => list.add({})}>
              {add}
            </Button>
          </Flex>
        )}
      </Form.List>
    </Form.Item>
  );
}

/** `fixed`: the subnet exists; what cannot change any more is not asked. */
export function SubnetFields({ fixed = false }: { fixed?: boolean }) {
  const t = useText(subnetsText);
  const general = useText(networkText);
  const form = Form.useFormInstance<SubnetValues>();
  const version = Form.useWatch('version', form) ?? 4;
  const gateway = Form.useWatch('gateway', form) ?? 'auto';
  const address = {
    validator: (_: unknown, value: string | undefined) =>
      value === undefined || isAddress(value.trim())
        ? Promise.resolve()
        : Promise.reject(new Error(general.badAddress)),
  };
  return (
    <>
      {fixed ? (
        <Form.Item name="version" hidden>
          <Input />
        </Form.Item>
      ) : (
        <Flex gap={12} wrap>
          <Form.Item name="version" label={t.version} required>
            <Radio.Group
              optionType="button"
              options={[
                { value: 4, label: 'IPv4' },
                { value: 6, label: 'IPv6' },
              ]}
            />
          </Form.Item>
          <Form.Item
            name="cidr"
            label={t.cidr}
            extra={version === 4 ? t.cidrHint : null}
            required
            style={{ flex: '1 1 220px' }}
            rules={[
              {
                validator: (_, value: string | undefined) =>
                  cidrVersion(value?.trim() ?? '') === version
                    ? Promise.resolve()
                    : Promise.reject(new Error(general.badCidr)),
              },
            ]}
          >
            <Input placeholder={version === 4 ? '10.0.1.0/24' : 'fd00:1::/64'} />
          </Form.Item>
        </Flex>
      )}
      {version === 6 ? (
        fixed ? null : (
          <Form.Item name="mode" label={t.mode} required>
            <Select
              options={(['slaac', 'dhcpv6-stateless', 'dhcpv6-stateful', 'none'] as const).map((value) => ({
                value,
                label: t.modes[value],
              }))}
            />
          </Form.Item>
        )
      ) : (
        <Form.Item name="dhcp" valuePropName="checked">
          <LabelledSwitch label={t.dhcp} hint={t.dhcpHint} />
        </Form.Item>
      )}
      <Form.Item name="dns" label={t.dns} extra={t.dnsHint}>
        <Select mode="tags" open={false} suffixIcon={null} tokenSeparators={[',', ' ']} />
      </Form.Item>
      <Collapse
        ghost
        size="small"
        items={[
          {
            key: 'more',
            label: t.more,
            forceRender: true,
            children: (
              <>
                <Form.Item name="subnetName" label={general.name}>
                  <Input maxLength={255} />
                </Form.Item>
                <Form.Item name="gateway" label={t.gateway} required>
                  <Radio.Group
                    options={(fixed ? (['own', 'none'] as const) : (['auto', 'own', 'none'] as const)).map(
                      (value) => ({ value, label: t.gateways[value] }),
                    )}
                  />
                </Form.Item>
                {gateway === 'own' ? (
                  <Form.Item name="gatewayIp" label={t.gatewayIp} rules={[address, { required: true }]}>
                    <Input />
                  </Form.Item>
                ) : null}
                <Pairs
                  name="pools"
                  label={t.pools}
                  hint={t.poolsHint}
                  keys={['start', 'end']}
                  labels={[t.from, t.to]}
                  add={t.addPool}
                  remove={t.removePool}
                />
                <Pairs
                  name="routes"
                  label={t.routes}
                  hint={t.routesHint}
                  keys={['destination', 'nexthop']}
                  labels={[t.destination, t.nexthop]}
                  add={t.addRoute}
                  remove={t.removeRoute}
                />
              </>
            ),
          },
        ]}
      />
    </>
  );
}
