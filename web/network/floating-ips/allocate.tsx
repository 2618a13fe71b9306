// The dialogs that get a floating IP, and lead it to a server.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Form, Input, Select } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { networksQuery } from '../networks/api.ts';
import { networkText } from '../text.ts';
import { allocate, associate, type FloatingIp } from './api.ts';
import { TargetSelect, useTargets } from './target-select.tsx';
import { floatingIpsText } from './text.ts';

type AllocateValues = { networkId: string; address?: string; description?: string; target?: string };

/** What is different after a floating IP came, went or was led elsewhere. */
export const changedBy = [['floating-ips'], ['ports'], ['servers']] as const;

export function useRefresh(): () => Promise<unknown> {
  const queries = useQueryClient();
  return () => Promise.all(changedBy.map((queryKey) => queries.invalidateQueries({ queryKey })));
}

function AllocateFields() {
  const t = useText(floatingIpsText);
  const general = useText(networkText);
  const session = useSession();
  const networks = useQuery(networksQuery());
  const chosen = Form.useWatch<string | undefined>('networkId', Form.useFormInstance<AllocateValues>());
  const targets = useTargets(chosen, session.project?.id);
  return (
    <>
      <Form.Item name="networkId" label={t.pool} rules={[{ required: true }]}>
        <Select
          loading={networks.isPending}
          options={(networks.data ?? [])
            .filter((network) => network['router:external'])
            .map(({ id, name }) => ({ value: id, label: name === '' ? id : name }))}
        />
      </Form.Item>
      <TargetSelect targets={targets} name="target" label={t.leadsTo} hint={t.leadsToLater} />
      {isOperator(session) ? (
        <Form.Item name="address" label={t.wish} extra={t.wishHint}>
          <Input />
        </Form.Item>
      ) : null}
      <Form.Item name="description" label={general.description}>
        <Input maxLength={255} />
      </Form.Item>
    </>
  );
}

const chosenTarget = (target: string | undefined): { port_id: string; fixed_ip_address: string } | null => {
  const [portId, address] = target?.split(' ') ?? [];
  return portId === undefined || address === undefined
    ? null
    : { port_id: portId, fixed_ip_address: address };
};

export function AllocateDialog({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(floatingIpsText);
  const refresh = useRefresh();
  const networks = useQuery(networksQuery());
  const first = networks.data?.find((network) => network['router:external'])?.id;
  return (
    <FormDialog<AllocateValues>
      title={t.allocate}
      open={open}
      onClose={onClose}
      okText={t.allocateShort}
      initial={first === undefined ? {} : { networkId: first }}
      submit={async ({ networkId, address, description, target }) => {
        const wish = address?.trim() ?? '';
        await allocate({
          floating_network_id: networkId,
          ...(description === undefined ? {} : { description }),
          ...(wish === '' ? {} : { floating_ip_address: wish }),
          ...chosenTarget(target),
        });
        await refresh();
      }}
    >
      <AllocateFields />
    </FormDialog>
  );
}

export function AssociateDialog({ of, onClose }: { of: FloatingIp | null; onClose(): void }) {
  const t = useText(floatingIpsText);
  const refresh = useRefresh();
  const targets = useTargets(of?.floating_network_id, of?.project_id);
  const first = targets.find(({ reachable }) => reachable)?.key;
  return (
    <FormDialog<{ target: string }>
      title={t.associateTitle(of?.floating_ip_address ?? '')}
      open={of !== null}
      onClose={onClose}
      okText={t.associate}
      initial={first === undefined ? {} : { target: first }}
      submit={async ({ target }) => {
        const chosen = chosenTarget(target);
        if (of === null || chosen === null) return;
        await associate(of.id, chosen.port_id, chosen.fixed_ip_address);
        await refresh();
      }}
    >
      <TargetSelect targets={targets} name="target" label={t.target} />
    </FormDialog>
  );
}
