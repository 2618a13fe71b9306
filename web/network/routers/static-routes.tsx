// The static routes of a router, which the API sets all at once.
import { DeleteOutlined, EditOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Flex, Form, Input, Typography } from 'antd';
import { useState } from 'react';
import { ChangeButton } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { cidrVersion, isAddress } from '../addresses.ts';
import { networkText } from '../text.ts';
import { routerQuery, updateRouter, type Route, type Router } from './api.ts';
import { routersText } from './text.ts';

type Values = { routes: Route[] };

function Fields() {
  const t = useText(routersText);
  const general = useText(networkText);
  const rule = (valid: (text: string) => boolean, message: string) => ({
    validator: (_: unknown, value: string | undefined) =>
      valid(value?.trim() ?? '') ? Promise.resolve() : Promise.reject(new Error(message)),
  });
  return (
    <Form.List name="routes">
      {(fields, list) => (
        <Flex vertical gap={6}>
          {fields.map((field) => (
            <Flex key={field.key} gap={6} align="start">
              <Form.Item
                name={[field.name, 'destination']}
                rules={[rule((text) => cidrVersion(text) !== null, general.badCidr)]}
                style={{ flex: 1, marginBottom: 4 }}
              >
                <Input placeholder={t.destination} aria-label={t.destination} />
              </Form.Item>
              <Form.Item
                name={[field.name, 'nexthop']}
                rules={[rule(isAddress, general.badAddress)]}
                style={{ flex: 1, marginBottom: 4 }}
              >
                <Input placeholder={t.nexthop} aria-label={t.nexthop} />
              </Form.Item>
              <Button
                type="text"
                icon={<DeleteOutlined />}
                aria-label={t.removeRoute}
                title={t.removeRoute}
                onClick={() => list.remove(field.name)}
              />
            </Flex>
          ))}
          <Button type="dashed" icon={<PlusOutlined />} onClick={() => list.add({})}>
            {t.addRoute}
          </Button>
          <Typography.Text type="secondary">{t.routesHint}</Typography.Text>
        </Flex>
      )}
    </Form.List>
  );
}

export function StaticRoutes({ router }: { router: Router }) {
  const t = useText(routersText);
  const general = useText(networkText);
  const queries = useQueryClient();
  const [editing, setEditing] = useState(false);
  const columns: Column<Route>[] = [
    {
      key: 'destination',
      title: t.destination,
      value: ({ destination }) => destination,
      render: ({ destination }) => <Typography.Text code>{destination}</Typography.Text>,
    },
    { key: 'nexthop', title: t.nexthop, value: ({ nexthop }) => nexthop, render: ({ nexthop }) => nexthop },
  ];
  const routes = useQuery({ ...routerQuery(router.id), select: (data) => data.routes });
  return (
    <>
      <ResourceTable
        name="router-routes"
        label={t.routes}
        query={routes}
        columns={columns}
        rowKey={({ destination, nexthop }) => `${destination} ${nexthop}`}
        toolbar={
          <ChangeButton icon={<EditOutlined />} onClick={() => setEditing(true)}>
            {t.editRoutes}
          </ChangeButton>
        }
      />
      <FormDialog<Values>
        title={t.editRoutes}
        open={editing}
        onClose={() => setEditing(false)}
        initial={{ routes: router.routes.length === 0 ? [{} as Route] : router.routes }}
        okText={general.save}
        submit={async ({ routes }) => {
          await updateRouter(router.id, {
            routes: routes.map(({ destination, nexthop }) => ({
              destination: destination.trim(),
              nexthop: nexthop.trim(),
            })),
          });
          await queries.invalidateQueries({ queryKey: ['routers'] });
        }}
      >
        <Fields />
      </FormDialog>
    </>
  );
}
