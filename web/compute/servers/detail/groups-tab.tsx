// The security groups that a server is in.
import { PlusOutlined } from '@ant-design/icons';
import { useQueries, useQueryClient } from '@tanstack/react-query';
import { Form, Select } from 'antd';
import { useMemo, useState } from 'react';
import { ActionButton } from '../../../kit/action-button.tsx';
import { useConfirm } from '../../../kit/action.tsx';
import { FormDialog } from '../../../kit/form-dialog.tsx';
import { useText } from '../../../kit/language.tsx';
import { ResourceLink } from '../../../kit/link.tsx';
import { ResourceTable, type Column } from '../../../kit/resource-table.tsx';
import { kitText } from '../../../kit/text.ts';
import { act } from '../api.ts';
import type { Server } from '../server.ts';
import { portsQuery, securityGroupsQuery, type SecurityGroup } from './api.ts';
import { useWhyNot } from './may-change.ts';
import { partsText } from './parts-text.ts';

const keyOf = ({ id }: SecurityGroup): string => id;

/** Those of its ports. */
function useGroups(server: Server) {
  const [ports, all] = useQueries({
    queries: [portsQuery(server.id), securityGroupsQuery(server.tenant_id)],
  });
  const data = useMemo(() => {
    if (ports.data === undefined || all.data === undefined) return undefined;
    const ids = new Set(ports.data.flatMap((port) => port.security_groups));
    return [...ids].map(
      (id) => all.data.find((group) => group.id === id) ?? { id, name: '', description: '', project_id: '' },
    );
  }, [ports.data, all.data]);
  return {
    all: all.data ?? [],
    own: {
      data,
      error: ports.error ?? all.error,
      isPending: ports.isPending || all.isPending,
      isFetching: ports.isFetching || all.isFetching,
      refetch: ports.refetch as never,
    },
  };
}

export function GroupsTab({ server }: { server: Server }) {
  const t = useText(partsText);
  const k = useText(kitText);
  const why = useWhyNot(server);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const { own, all } = useGroups(server);
  const [adding, setAdding] = useState(false);
  const columns = useMemo((): readonly Column<SecurityGroup>[] => {
    const remove = ({ id, name }: SecurityGroup): void =>
      confirm({
        title: t.removeGroupTitle(name),
        content: t.removeGroupWhat,
        okText: t.removeGroup,
        run: () =>
          act(server.id, 'removeSecurityGroup', { name: id }).finally(() =>
            queries.invalidateQueries({ queryKey: ['servers'] }),
          ),
      });
    return [
      {
        key: 'name',
        title: t.group,
        value: ({ name }) => name,
        render: ({ id, name }) => <ResourceLink to="/security-groups" name={name} id={id} />,
      },
      {
        key: 'description',
        title: t.description,
        value: ({ description }) => description,
        render: ({ description }) => description,
      },
      {
        key: 'actions',
        title: k.actions,
        width: 100,
        render: (group) => (
          <ActionButton why={why} size="small" danger onClick={() => remove(group)}>
            {t.removeGroup}
          </ActionButton>
        ),
      },
    ];
  }, [t, k, why, confirm, queries, server.id]);
  const options = all
    .filter(({ id }) => own.data?.some((group) => group.id === id) !== true)
    .map(({ id, name, description }) => ({
      value: id,
      label: description === '' ? name : `${name} (${description})`,
    }));
  return (
    <>
      <ResourceTable<SecurityGroup>
        name="server-groups"
        label={t.groups}
        query={own}
        columns={columns}
        rowKey={keyOf}
        toolbar={
          <ActionButton why={why} icon={<PlusOutlined aria-hidden />} onClick={() => setAdding(true)}>
            {t.addGroup}
          </ActionButton>
        }
        empty={t.noGroups}
      />
      <FormDialog<{ group: string }>
        open={adding}
        title={t.addGroup}
        okText={t.addGroup}
        onClose={() => setAdding(false)}
        initial={{}}
        submit={({ group }) =>
          act(server.id, 'addSecurityGroup', { name: group }).finally(() =>
            queries.invalidateQueries({ queryKey: ['servers'] }),
          )
        }
      >
        <Form.Item
          name="group"
          label={t.group}
          extra={t.groupsHint}
          rules={[{ required: true, message: k.required }]}
        >
          <Select options={options} showSearch={{ optionFilterProp: 'label' }} />
        </Form.Item>
      </FormDialog>
    </>
  );
}
