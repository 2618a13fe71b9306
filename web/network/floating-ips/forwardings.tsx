// Which ports of a floating IP lead where.
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { Empty, Flex, Form, Input, Modal, Select, Table, Typography } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { ChangeButton, RowActions } from '../../kit/change-button.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { networkText } from '../text.ts';
import { addForwarding, removeForwarding, type FloatingIp, type PortForwarding } from './api.ts';
import { useRefresh } from './allocate.tsx';
import { TargetSelect, useTargets } from './target-select.tsx';
import { portRange } from './targets.ts';
import { floatingIpsText } from './text.ts';

type Values = { protocol: 'tcp' | 'udp'; outside: string; inside: string; target: string };

function AddForwarding({ to, open, onClose }: { to: FloatingIp; open: boolean; onClose(): void }) {
  const t = useText(floatingIpsText);
  const general = useText(networkText);
  const refresh = useRefresh();
  const targets = useTargets(to.floating_network_id, to.project_id);
  const first = targets.find(({ reachable }) => reachable)?.key;
  const rule = {
    validator: (_: unknown, value: string | undefined) =>
      portRange(value ?? '') === null ? Promise.reject(new Error(t.badPorts)) : Promise.resolve(),
  };
  return (
    <FormDialog<Values>
      title={t.addForwarding}
      open={open}
      onClose={onClose}
      okText={general.add}
      initial={{ protocol: 'tcp', ...(first === undefined ? {} : { target: first }) }}
      submit={async ({ protocol, outside, inside, target }) => {
        const chosen = targets.find(({ key }) => key === target);
        if (chosen === undefined) return;
        await addForwarding(to.id, {
          protocol,
          internal_port_id: chosen.portId,
          internal_ip_address: chosen.address,
          external_port_range: portRange(outside) ?? outside,
          internal_port_range: portRange(inside) ?? inside,
        });
        await refresh();
      }}
    >
      <TargetSelect targets={targets} name="target" label={t.target} />
      <Flex gap={12} wrap>
        <Form.Item name="protocol" label={t.protocol} required style={{ width: 110 }}>
          <Select
            options={(['tcp', 'udp'] as const).map((value) => ({ value, label: value.toUpperCase() }))}
          />
        </Form.Item>
        <Form.Item name="outside" label={t.outside} required rules={[rule]} style={{ flex: '1 1 140px' }}>
          <Input />
        </Form.Item>
        <Form.Item name="inside" label={t.inside} required rules={[rule]} style={{ flex: '1 1 140px' }}>
          <Input />
        </Form.Item>
      </Flex>
      <Typography.Text type="secondary">{t.portsHint}</Typography.Text>
    </FormDialog>
  );
}

/** '80:80' -> '80' */
const shown = (range: string): string => [...new Set(range.split(':'))].join('–');

export function Forwardings({ of, onClose }: { of: FloatingIp; onClose(): void }) {
  const t = useText(floatingIpsText);
  const general = useText(networkText);
  const [adding, setAdding] = useState(false);
  const confirm = useConfirm();
  const refresh = useRefresh();
  return (
    <Modal
      open
      title={t.forwardingsTitle(of.floating_ip_address)}
      footer={null}
      width={640}
      onCancel={onClose}
    >
      <Flex vertical gap={12}>
        <Typography.Text type="secondary">{t.forwardingsHint}</Typography.Text>
        <div>
          <ChangeButton
            icon={<PlusOutlined />}
            why={of.port_id === null ? null : t.associatedWhole}
            onClick={() => setAdding(true)}
          >
            {t.addForwarding}
          </ChangeButton>
        </div>
        <Table<PortForwarding>
          aria-label={t.forwardings}
          size="small"
          pagination={false}
          scroll={{ x: 'max-content' }}
          rowKey={({ id }) => id}
          dataSource={of.port_forwardings}
          locale={{ emptyText: <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={general.none} /> }}
          columns={[
            { key: 'protocol', title: t.protocol, render: (_, { protocol }) => protocol.toUpperCase() },
            { key: 'outside', title: t.outside, render: (_, row) => shown(row.external_port_range) },
            {
              key: 'inside',
              title: t.leadsTo,
              render: (_, row) => `${row.internal_ip_address} : ${shown(row.internal_port_range)}`,
            },
            {
              key: 'actions',
              title: general.actions,
              width: 80,
              render: (_, row) => (
                <RowActions
                  of={`${row.protocol} ${row.external_port_range}`}
                  actions={[
                    {
                      key: 'remove',
                      label: t.removeForwarding,
                      icon: <DeleteOutlined />,
                      danger: true,
                      run: () =>
                        confirm({
                          title: t.removeForwarding,
                          content: t.removeForwardingText(
                            `${of.floating_ip_address}:${shown(row.external_port_range)}`,
                          ),
                          okText: general.remove,
                          run: async () => {
                            await removeForwarding(of.id, row.id);
                            await refresh();
                          },
                        }),
                    },
                  ]}
                />
              ),
            },
          ]}
        />
      </Flex>
      <AddForwarding to={of} open={adding} onClose={() => setAdding(false)} />
    </Modal>
  );
}
