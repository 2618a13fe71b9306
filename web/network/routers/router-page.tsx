// One router: where it leads, what it joins, its routes.
import { DeleteOutlined, EditOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Card, Descriptions, Tabs, type DescriptionsProps } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { ChangeButton } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Pending } from '../../kit/pending.tsx';
import { Problem } from '../../kit/problem.tsx';
import { networksQuery } from '../networks/api.ts';
import { ProjectName } from '../../kit/project-input.tsx';
import { AdminState, NetworkState, YesNo } from '../parts.tsx';
import { networkText } from '../text.ts';
import { deleteRouter, routerQuery, updateRouter, type Router } from './api.ts';
import {
  GatewayFields,
  gatewayBody,
  gatewayValues,
  routerBody,
  type GatewayValues,
  type RouterValues,
} from './gateway.tsx';
import { Interfaces } from './interfaces.tsx';
import { RouterFields } from './routers-page.tsx';
import { StaticRoutes } from './static-routes.tsx';
import { routersText } from './text.ts';

function Facts({ router }: { router: Router }) {
  const t = useText(routersText);
  const general = useText(networkText);
  const { time } = useFormat();
  const networks = useQuery(networksQuery());
  const gateway = router.external_gateway_info;
  const items: DescriptionsProps['items'] = [
    { key: 'id', label: general.id, children: <Id id={router.id} /> },
    {
      key: 'outside',
      label: t.outside,
      children:
        gateway === null ? (
          general.noGateway
        ) : (
          <ResourceLink
            to="/networks"
            id={gateway.network_id}
            name={networks.data?.find(({ id }) => id === gateway.network_id)?.name}
          />
        ),
    },
    {
      key: 'address',
      label: t.outsideAddress,
      children: gateway?.external_fixed_ips?.map(({ ip_address: ip }) => ip).join(', ') ?? general.none,
    },
    ...(gateway?.enable_snat === undefined
      ? []
      : [{ key: 'snat', label: t.snat, children: <YesNo value={gateway.enable_snat} /> }]),
    { key: 'admin', label: general.adminState, children: <AdminState up={router.admin_state_up} /> },
    { key: 'project', label: general.project, children: <ProjectName id={router.project_id} /> },
    { key: 'created', label: general.created, children: time(router.created_at) },
    ...(router.description === ''
      ? []
      : [{ key: 'description', label: general.description, children: router.description }]),
  ];
  return (
    <Card size="small">
      <Descriptions items={items} column={{ xs: 1, md: 2, xl: 3 }} size="small" />
    </Card>
  );
}

function Gateway({ router, name, refresh }: { router: Router; name: string; refresh(): Promise<unknown> }) {
  const t = useText(routersText);
  const general = useText(networkText);
  const confirm = useConfirm();
  const [open, setOpen] = useState(false);
  const gateway = router.external_gateway_info;
  const title = gateway === null ? t.setGateway : t.changeGateway;
  return (
    <>
      <ChangeButton onClick={() => setOpen(true)}>{title}</ChangeButton>
      {gateway === null ? null : (
        <ChangeButton
          onClick={() =>
            confirm({
              title: t.clearTitle(name),
              content: t.clearText,
              okText: t.clearGateway,
              run: async () => {
                await updateRouter(router.id, { external_gateway_info: null });
                await refresh();
              },
            })
          }
        >
          {t.clearGateway}
        </ChangeButton>
      )}
      <FormDialog<GatewayValues>
        title={title}
        open={open}
        onClose={() => setOpen(false)}
        okText={general.save}
        initial={gatewayValues(gateway)}
        submit={async (values) => {
          await updateRouter(router.id, { external_gateway_info: gatewayBody(values) });
          await refresh();
        }}
      >
        <GatewayFields required />
      </FormDialog>
    </>
  );
}

export function RouterPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const t = useText(routersText);
  const general = useText(networkText);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const router = useQuery(routerQuery(id));
  const [editing, setEditing] = useState(false);
  const crumbs = [{ title: t.title, to: '/routers' }];
  const { data, error } = router;
  if (data === undefined)
    return (
      <PageFrame title={general.router} crumbs={crumbs}>
        <Pending query={router} />
      </PageFrame>
    );
  const name = data.name === '' ? id.slice(0, 8) : data.name;
  const refresh = (): Promise<unknown> =>
    Promise.all(['routers', 'ports'].map((key) => queries.invalidateQueries({ queryKey: [key] })));
  return (
    <PageFrame
      title={name}
      crumbs={crumbs}
      extra={
        <>
          <NetworkState status={data.status} />
          <Gateway router={data} name={name} refresh={refresh} />
          <ChangeButton icon={<EditOutlined />} onClick={() => setEditing(true)}>
            {general.edit}
          </ChangeButton>
          <ChangeButton
            danger
            icon={<DeleteOutlined />}
            onClick={() =>
              confirm({
                title: t.deleteTitle(name),
                content: t.deleteText,
                okText: general.delete,
                run: async () => {
                  await deleteRouter(id);
                  await navigate({ to: '/routers' });
                  queries.removeQueries({ queryKey: ['routers', 'one', id] });
                  await refresh();
                },
              })
            }
          >
            {general.delete}
          </ChangeButton>
        </>
      }
    >
      {error === null ? null : <Problem error={error} retry={() => void router.refetch()} />}
      <Facts router={data} />
      <Tabs
        items={[
          { key: 'interfaces', label: t.interfaces, children: <Interfaces router={data} /> },
          { key: 'routes', label: t.routes, children: <StaticRoutes router={data} /> },
        ]}
      />
      <FormDialog<RouterValues>
        title={t.edit}
        open={editing}
        onClose={() => setEditing(false)}
        okText={general.save}
        initial={{ name: data.name, description: data.description, adminUp: data.admin_state_up }}
        submit={async (values) => {
          await updateRouter(id, routerBody(values));
          await refresh();
        }}
      >
        <RouterFields />
      </FormDialog>
    </PageFrame>
  );
}
