// A floating IP for an address of a server: one that leads nowhere yet, or a new one.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Form, Select } from 'antd';
import { FormDialog } from '../../../kit/form-dialog.tsx';
import { useText } from '../../../kit/language.tsx';
import { kitText } from '../../../kit/text.ts';
import type { Server } from '../server.ts';
import { floatingIpsQuery, makeFloatingIp, networksQuery, pointFloatingIp } from './api.ts';
import { partsText } from './parts-text.ts';

export type Target = { portId: string; address: string };

const NEW = 'new:';

export function FloatingIpDialog({
  server,
  target,
  onClose,
}: {
  server: Server;
  target: Target;
  onClose(): void;
}) {
  const t = useText(partsText);
  const k = useText(kitText);
  const queries = useQueryClient();
  const networks = useQuery(networksQuery);
  const floatingIps = useQuery(floatingIpsQuery(server.tenant_id));
  const options = [
    ...(floatingIps.data ?? [])
      .filter(({ port_id }) => port_id === null)
      .map(({ id, floating_ip_address }) => ({ value: id, label: floating_ip_address })),
    ...(networks.data ?? [])
      .filter((network) => network['router:external'])
      .map(({ id, name }) => ({ value: NEW + id, label: t.newFrom(name) })),
  ];
  if (networks.isPending || floatingIps.isPending) return null;
  const first = options[0]?.value;
  return (
    <FormDialog<{ floating: string }>
      open
      title={t.addFloatingTo(target.address)}
      okText={t.addFloating}
      onClose={onClose}
      initial={first === undefined ? {} : { floating: first }}
      submit={async ({ floating }) => {
        try {
          await (floating.startsWith(NEW)
            ? makeFloatingIp(floating.slice(NEW.length), server.tenant_id, target)
            : pointFloatingIp(floating, target));
        } finally {
          void queries.invalidateQueries({ queryKey: ['servers'] });
        }
      }}
    >
      <Form.Item
        name="floating"
        label={t.floatingIp}
        extra={t.floatingHint}
        rules={[{ required: true, message: k.required }]}
      >
        <Select options={options} notFoundContent={t.noExternal} />
      </Form.Item>
    </FormDialog>
  );
}
