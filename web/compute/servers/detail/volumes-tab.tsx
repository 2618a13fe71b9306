// The volumes of a server.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Checkbox, Form, Select, Switch } from 'antd';
import { useMemo, useState } from 'react';
import { ActionButton } from '../../../kit/action-button.tsx';
import { useAction, useConfirm } from '../../../kit/action.tsx';
import { FormDialog } from '../../../kit/form-dialog.tsx';
import { useText } from '../../../kit/language.tsx';
import { ResourceLink } from '../../../kit/link.tsx';
import { ResourceTable, type Column } from '../../../kit/resource-table.tsx';
import { useSession } from '../../../kit/session.ts';
import { StateTag } from '../../../kit/state.tsx';
import { kitText } from '../../../kit/text.ts';
import type { Server } from '../server.ts';
import {
  attachmentsQuery,
  attachVolume,
  detachVolume,
  keepVolume,
  volumesQuery,
  type Attachment,
} from './api.ts';
import { useWhyNot } from './may-change.ts';
import { partsText } from './parts-text.ts';

const keyOf = ({ volumeId }: Attachment): string => volumeId;

export function VolumesTab({ server }: { server: Server }) {
  const t = useText(partsText);
  const k = useText(kitText);
  const why = useWhyNot(server);
  const session = useSession();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const attachments = useQuery(attachmentsQuery(server.id));
  const { data: volumes = [] } = useQuery(volumesQuery(session.project?.id ?? server.tenant_id, server));
  const [adding, setAdding] = useState(false);
  const { mutate: keep } = useAction<{ volumeId: string; goes: boolean }>({
    run: ({ volumeId, goes }) => keepVolume(server.id, volumeId, goes),
    refresh: [['servers']],
  });
  const columns = useMemo((): readonly Column<Attachment>[] => {
    const volumeOf = ({ volumeId }: Attachment) => volumes.find(({ id }) => id === volumeId);
    const detach = (one: Attachment): void =>
      confirm({
        title: t.detachVolumeTitle(volumeOf(one)?.name || one.volumeId),
        content: t.detachVolumeWhat,
        okText: t.detachVolume,
        run: () =>
          detachVolume(server.id, one.volumeId).finally(() =>
            queries.invalidateQueries({ queryKey: ['servers'] }),
          ),
      });
    return [
      {
        key: 'name',
        title: t.volume,
        value: (one) => volumeOf(one)?.name ?? one.volumeId,
        render: (one) => <ResourceLink to="/volumes" name={volumeOf(one)?.name} id={one.volumeId} />,
      },
      {
        key: 'size',
        title: t.size,
        width: 100,
        value: (one) => volumeOf(one)?.size,
        render: (one) => {
          const volume = volumeOf(one);
          return volume === undefined ? null : `${volume.size} GiB`;
        },
      },
      {
        key: 'device',
        title: t.device,
        width: 120,
        value: ({ device }) => device,
        render: (one) => one.device,
      },
      {
        key: 'state',
        title: t.state,
        width: 120,
        render: (one) => {
          const volume = volumeOf(one);
          return volume === undefined ? null : <StateTag state={volume.status} />;
        },
      },
      {
        key: 'goes',
        title: t.withServer,
        width: 170,
        render: ({ volumeId, delete_on_termination: goes }) => (
          <Switch
            checked={goes}
            disabled={why !== null}
            aria-label={t.withServer}
            onChange={(next) => keep({ volumeId, goes: next })}
          />
        ),
      },
      {
        key: 'actions',
        title: k.actions,
        width: 100,
        render: (one) => (
          <ActionButton why={why} size="small" danger onClick={() => detach(one)}>
            {t.detachVolume}
          </ActionButton>
        ),
      },
    ];
  }, [volumes, t, k, why, confirm, queries, keep, server.id]);
  const options = volumes
    .filter(({ status }) => status === 'available')
    .map(({ id, name, size }) => ({
      value: id,
      label: `${name === null || name === '' ? id.slice(0, 8) : name} (${size} GiB)`,
    }));
  return (
    <>
      <ResourceTable<Attachment>
        name="server-volumes"
        label={t.volume}
        query={attachments}
        columns={columns}
        rowKey={keyOf}
        toolbar={
          <ActionButton why={why} icon={<PlusOutlined aria-hidden />} onClick={() => setAdding(true)}>
            {t.attachVolume}
          </ActionButton>
        }
        empty={t.noVolumes}
      />
      <FormDialog<{ volumeId: string; delete_on_termination: boolean }>
        open={adding}
        title={t.attachVolume}
        okText={t.attachVolume}
        onClose={() => setAdding(false)}
        initial={{ delete_on_termination: false }}
        submit={(values) =>
          attachVolume(server.id, values).finally(() => queries.invalidateQueries({ queryKey: ['servers'] }))
        }
      >
        <Form.Item
          name="volumeId"
          label={t.volume}
          rules={[{ required: true, message: k.required }]}
          extra={options.length === 0 ? `${t.noFreeVolumes} ${t.makeVolume}` : undefined}
        >
          <Select
            options={options}
            showSearch={{ optionFilterProp: 'label' }}
            notFoundContent={t.noFreeVolumes}
          />
        </Form.Item>
        <Form.Item name="delete_on_termination" valuePropName="checked">
          <Checkbox>{t.withServer}</Checkbox>
        </Form.Item>
      </FormDialog>
    </>
  );
}
