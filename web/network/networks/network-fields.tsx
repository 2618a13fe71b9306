// The fields of a network.
import { Collapse, Flex, Form, Input, InputNumber } from 'antd';
import { useText } from '../../kit/language.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { LabelledSwitch } from '../parts.tsx';
import { networkText } from '../text.ts';
import type { Network, NetworkBody } from './api.ts';
import { networksText } from './text.ts';

export type NetworkValues = {
  name: string;
  description?: string;
  adminUp: boolean;
  portSecurity: boolean;
  shared?: boolean;
  external?: boolean;
  /** Bytes; absent or null: as the cloud decides. */
  mtu?: number | null;
};

export const newNetwork: NetworkValues = { name: '', adminUp: true, portSecurity: true };

export const networkValues = (network: Network): NetworkValues => ({
  name: network.name,
  description: network.description,
  adminUp: network.admin_state_up,
  portSecurity: network.port_security_enabled,
  shared: network.shared,
  external: network['router:external'],
  mtu: network.mtu,
});

/** What only operators may set is left out where they did not. */
export const networkBody = (values: NetworkValues): NetworkBody => ({
  name: values.name.trim(),
  description: values.description ?? '',
  admin_state_up: values.adminUp,
  port_security_enabled: values.portSecurity,
  ...(values.mtu === undefined || values.mtu === null ? {} : { mtu: values.mtu }),
  ...(values.shared === undefined ? {} : { shared: values.shared }),
  ...(values.external === undefined ? {} : { 'router:external': values.external }),
});

export function NetworkName() {
  const general = useText(networkText);
  return (
    <Form.Item name="name" label={general.name} rules={[{ required: true, whitespace: true }]}>
      <Input autoFocus maxLength={255} />
    </Form.Item>
  );
}

export function NetworkOptions() {
  const t = useText(networksText);
  const general = useText(networkText);
  const operator = isOperator(useSession());
  return (
    <Collapse
      ghost
      size="small"
      items={[
        {
          key: 'more',
          label: t.more,
          forceRender: true,
          children: (
            <Flex vertical>
              <Form.Item name="description" label={general.description}>
                <Input maxLength={255} />
              </Form.Item>
              <Form.Item name="mtu" label={t.mtu} extra={t.mtuHint}>
                <InputNumber min={576} max={9216} precision={0} style={{ width: 140 }} />
              </Form.Item>
              <Form.Item name="portSecurity" valuePropName="checked">
                <LabelledSwitch label={t.portSecurity} hint={t.portSecurityHint} />
              </Form.Item>
              <Form.Item name="adminUp" valuePropName="checked">
                <LabelledSwitch label={general.adminState} hint={t.adminHint} />
              </Form.Item>
              {operator ? (
                <>
                  <Form.Item name="shared" valuePropName="checked">
                    <LabelledSwitch label={t.shared} hint={t.sharedHint} />
                  </Form.Item>
                  <Form.Item name="external" valuePropName="checked">
                    <LabelledSwitch label={t.external} hint={t.externalHint} />
                  </Form.Item>
                </>
              ) : null}
            </Flex>
          ),
        },
      ]}
    />
  );
}
