// Which external network a router leads to.
import { useQuery } from '@tanstack/react-query';
import { Form, Input, Select } from 'antd';
import { useText } from '../../kit/language.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { networksQuery } from '../networks/api.ts';
import { LabelledSwitch } from '../parts.tsx';
import type { GatewayInfo, RouterBody } from './api.ts';
import { routersText } from './text.ts';

export type GatewayValues = {
  networkId?: string | undefined;
  /** Only operators may say; absent: as the cloud decides. */
  snat?: boolean;
  address?: string;
};

export const gatewayValues = (gateway: GatewayInfo | null): GatewayValues => ({
  networkId: gateway?.network_id,
  snat: gateway?.enable_snat ?? true,
});

/** Empty: the router leads nowhere. */
export function gatewayBody({ networkId, snat, address }: GatewayValues): GatewayInfo | null {
  if (networkId === undefined) return null;
  const chosen = address?.trim() ?? '';
  return {
    network_id: networkId,
    ...(snat === undefined ? {} : { enable_snat: snat }),
    ...(chosen === '' ? {} : { external_fixed_ips: [{ ip_address: chosen }] }),
  };
}

export type RouterValues = GatewayValues & { name: string; description?: string; adminUp: boolean };

export const routerBody = (values: Omit<RouterValues, keyof GatewayValues>): RouterBody => ({
  name: values.name.trim(),
  description: values.description ?? '',
  admin_state_up: values.adminUp,
});

export function GatewayFields({ required = false }: { required?: boolean }) {
  const t = useText(routersText);
  const operator = isOperator(useSession());
  const networks = useQuery(networksQuery());
  const chosen = Form.useWatch<string | undefined>('networkId', Form.useFormInstance<GatewayValues>());
  const external = (networks.data ?? []).filter((network) => network['router:external']);
  return (
    <>
      <Form.Item
        name="networkId"
        label={t.outside}
        rules={[{ required }]}
        {...(required ? {} : { extra: t.outsideHint })}
      >
        <Select
          allowClear={!required}
          loading={networks.isPending}
          options={external.map(({ id, name }) => ({ value: id, label: name === '' ? id : name }))}
        />
      </Form.Item>
      {operator && chosen !== undefined ? (
        <>
          <Form.Item name="snat" valuePropName="checked">
            <LabelledSwitch label={t.snat} hint={t.snatHint} />
          </Form.Item>
          <Form.Item name="address" label={t.outsideAddress}>
            <Input />
          </Form.Item>
        </>
      ) : null}
    </>
  );
}
