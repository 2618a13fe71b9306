// Another interface for a server: a new port on a network, or a port that is there.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Form, Input, Radio, Select } from 'antd';
import { FormDialog } from '../../../kit/form-dialog.tsx';
import { useText } from '../../../kit/language.tsx';
import { kitText } from '../../../kit/text.ts';
import type { Server } from '../server.ts';
import { attachInterface, freePortsQuery, networksQuery } from './api.ts';
import { partsText } from './parts-text.ts';

type Values = { by: 'network' | 'port'; networkId?: string; address?: string; portId?: string };

type Props = { server: Server; open: boolean; onClose(): void };

function Fields({ server }: { server: Server }) {
  const t = useText(partsText);
  const k = useText(kitText);
  const networks = useQuery(networksQuery);
  const ports = useQuery(freePortsQuery(server.tenant_id));
  const by = Form.useWatch<Values['by']>('by');
  const needed = { required: true, message: k.required };
  return (
    <>
      <Form.Item name="by">
        <Radio.Group
          options={[
            { value: 'network', label: t.byNetwork },
            { value: 'port', label: t.byPort },
          ]}
        />
      </Form.Item>
      {by === 'port' ? (
        <Form.Item name="portId" label={t.port} rules={[needed]}>
          <Select
            loading={ports.isPending}
            showSearch={{ optionFilterProp: 'label' }}
            notFoundContent={t.noFreePorts}
            options={(ports.data ?? []).map(({ id, name, fixed_ips }) => ({
              value: id,
              label: `${name === '' ? id.slice(0, 8) : name} (${fixed_ips.map(({ ip_address }) => ip_address).join(', ')})`,
            }))}
          />
        </Form.Item>
      ) : (
        <>
          <Form.Item name="networkId" label={t.network} rules={[needed]}>
            <Select
              loading={networks.isPending}
              showSearch={{ optionFilterProp: 'label' }}
              options={(networks.data ?? [])
                .filter((network) => !network['router:external'] || network.shared)
                .map(({ id, name }) => ({ value: id, label: name === '' ? id : name }))}
            />
          </Form.Item>
          <Form.Item name="address" label={t.fixedAddress} extra={t.fixedAddressHint}>
            <Input maxLength={45} />
          </Form.Item>
        </>
      )}
    </>
  );
}

export function AttachInterfaceDialog({ server, open, onClose }: Props) {
  const t = useText(partsText);
  const queries = useQueryClient();
  const submit = async ({ by, networkId = '', address = '', portId = '' }: Values): Promise<void> => {
    const fixed = address.trim() === '' ? {} : { fixed_ips: [{ ip_address: address.trim() }] };
    try {
      await attachInterface(server.id, by === 'port' ? { port_id: portId } : { net_id: networkId, ...fixed });
    } finally {
      void queries.invalidateQueries({ queryKey: ['servers'] });
    }
  };
  return (
    <FormDialog<Values>
      open={open}
      title={t.attachInterface}
      okText={t.attachInterface}
      onClose={onClose}
      initial={{ by: 'network' }}
      submit={submit}
    >
      <Fields server={server} />
    </FormDialog>
  );
}
