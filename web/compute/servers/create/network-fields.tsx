// The networks that a new server is on, and what filters its traffic.
import { useQuery } from '@tanstack/react-query';
import { Alert, Form, Select } from 'antd';
import { useText } from '../../../kit/language.tsx';
import { useSession } from '../../../kit/session.ts';
import { networksQuery, securityGroupsQuery } from '../detail/api.ts';
import { usableNetworks } from './defaults.ts';
import type { CreateForm } from './request.ts';
import { createText } from './text.ts';

export function NetworkFields() {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const projectId = useSession().project?.id ?? '';
  const networks = useQuery(networksQuery);
  const groups = useQuery(securityGroupsQuery(projectId));
  const chosen = Form.useWatch('networkIds', form) ?? [];
  const usable = usableNetworks(networks.data ?? [], projectId);
  return (
    <>
      <Form.Item name="networkIds" label={t.networks}>
        <Select
          mode="multiple"
          loading={networks.isPending}
          showSearch={{ optionFilterProp: 'label' }}
          notFoundContent={t.noNetworks}
          options={usable.map((network) => ({
            value: network.id,
            label: `${network.name === '' ? network.id.slice(0, 8) : network.name}${network['router:external'] ? ` (${t.external})` : ''}`,
          }))}
        />
      </Form.Item>
      {chosen.length > 0 || networks.isPending ? null : (
        <Alert
          type="warning"
          showIcon
          title={usable.length === 0 ? t.noNetworks : t.noNetworkChosen}
          style={{ marginBottom: 16 }}
        />
      )}
      {chosen.length === 0 ? null : (
        <Form.Item name="groupIds" label={t.groups} extra={t.groupsHint}>
          <Select
            mode="multiple"
            loading={groups.isPending}
            showSearch={{ optionFilterProp: 'label' }}
            options={(groups.data ?? []).map(({ id, name, description }) => ({
              value: id,
              label: description === '' ? name : `${name} (${description})`,
            }))}
          />
        </Form.Item>
      )}
    </>
  );
}
