// The list of routers.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Form, Input, Typography } from 'antd';
import { useState } from 'react';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { ChangeButton } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { networksQuery } from '../networks/api.ts';
import { useProjectColumn } from '../owners.tsx';
import { AdminState, LabelledSwitch, NetworkState } from '../parts.tsx';
import { networkText } from '../text.ts';
import { createRouter, deleteRouter, routersQuery, type Router } from './api.ts';
import { GatewayFields, gatewayBody, routerBody, type RouterValues } from './gateway.tsx';
import { routersText } from './text.ts';

export function RouterFields() {
  const t = useText(routersText);
  const general = useText(networkText);
  return (
    <>
      <Form.Item name="name" label={general.name} rules={[{ required: true, whitespace: true }]}>
        <Input autoFocus maxLength={255} />
      </Form.Item>
      <Form.Item name="description" label={general.description}>
        <Input maxLength={255} />
      </Form.Item>
      <Form.Item name="adminUp" valuePropName="checked">
        <LabelledSwitch label={general.adminState} hint={t.adminHint} />
      </Form.Item>
    </>
  );
}

function CreateRouter({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(routersText);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const networks = useQuery(networksQuery());
  const first = networks.data?.find((network) => network['router:external'])?.id;
  return (
    <FormDialog<RouterValues>
      title={t.create}
      open={open}
      onClose={onClose}
      initial={{ name: '', adminUp: true, networkId: first }}
      submit={async (values) => {
        const gateway = gatewayBody(values);
        const id = await createRouter({
          ...routerBody(values),
          ...(gateway === null ? {} : { external_gateway_info: gateway }),
        });
        await queries.invalidateQueries({ queryKey: ['routers'] });
        await navigate({ to: `/routers/${id}` });
      }}
    >
      <RouterFields />
      <GatewayFields />
    </FormDialog>
  );
}

export function RoutersPage() {
  const t = useText(routersText);
  const general = useText(networkText);
  const { ago, time } = useFormat();
  const routers = useQuery(routersQuery());
  const networks = useQuery(networksQuery());
  const [creating, setCreating] = useState(false);
  const networkName = (id: string): string => networks.data?.find((network) => network.id === id)?.name ?? '';
  const project = useProjectColumn<Router>(general.project);
  const outsideOf = ({ external_gateway_info: gateway }: Router): string =>
    gateway === null ? '' : networkName(gateway.network_id);

  const columns: Column<Router>[] = [
    {
      key: 'name',
      title: general.name,
      value: ({ name }) => name,
      render: ({ name, id }) => <ResourceLink to="/routers" name={name} id={id} />,
    },
    {
      key: 'outside',
      title: t.outside,
      value: outsideOf,
      filter: true,
      render: (router) => {
        const { external_gateway_info: gateway } = router;
        if (gateway === null) return <Typography.Text type="secondary">{general.noGateway}</Typography.Text>;
        return <ResourceLink to="/networks" id={gateway.network_id} name={outsideOf(router)} />;
      },
    },
    {
      key: 'address',
      title: t.outsideAddress,
      value: (router) =>
        (router.external_gateway_info?.external_fixed_ips ?? []).map(({ ip_address: ip }) => ip).join(' '),
      render: (router) =>
        (router.external_gateway_info?.external_fixed_ips ?? []).map(({ ip_address: ip }) => ip).join(', '),
    },
    ...project,
    {
      key: 'status',
      title: general.state,
      filter: true,
      value: ({ status }) => status,
      render: ({ status }) => <NetworkState status={status} />,
    },
    {
      key: 'admin',
      title: general.adminState,
      value: ({ admin_state_up: up }) => (up ? general.up : general.down),
      render: ({ admin_state_up: up }) => <AdminState up={up} />,
    },
    {
      key: 'routes',
      title: t.routes,
      value: ({ routes }) => routes.length,
      render: ({ routes }) => routes.length,
    },
    {
      key: 'created',
      title: general.created,
      hidden: true,
      value: ({ created_at: at }) => at,
      render: ({ created_at: at }) => <span title={time(at)}>{ago(at)}</span>,
    },
  ];
  return (
    <PageFrame
      title={t.title}
      extra={
        <ChangeButton type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {t.create}
        </ChangeButton>
      }
    >
      <ResourceTable
        name="routers"
        label={t.title}
        query={routers}
        columns={columns}
        rowKey={({ id }) => id}
        empty={<Typography.Text type="secondary">{t.first}</Typography.Text>}
        bulk={(rows, clear) => (
          <BulkDelete
            rows={rows}
            clear={clear}
            nameOf={({ name, id }) => (name === '' ? id : name)}
            remove={({ id }) => deleteRouter(id)}
            lost={t.deleteText}
            refresh={[['routers']]}
          />
        )}
      />
      <CreateRouter open={creating} onClose={() => setCreating(false)} />
    </PageFrame>
  );
}
