// The snapshots of the project's volumes.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Form, Input, Select } from 'antd';
import { useState } from 'react';
import { ActionButton } from '../../kit/action-button.tsx';
import { useEverywhere } from '../../kit/everywhere.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { refusal } from '../volumes/allowed.ts';
import { volumesQuery, type Volume } from '../volumes/api.ts';
import { CreateVolumeDialog, type Origin } from '../volumes/create-dialog.tsx';
import { volumeName } from '../volumes/dialogs.tsx';
import { createSnapshot, snapshotsQuery } from './api.ts';
import { SnapshotTable } from './snapshot-table.tsx';
import { snapshotText } from './text.ts';

function CreateDialog({
  open,
  volumes,
  onClose,
}: {
  open: boolean;
  volumes: readonly Volume[];
  onClose(): void;
}) {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const queries = useQueryClient();
  return (
    <FormDialog<{ volume: string; name: string; description: string }>
      title={t.create}
      open={open}
      onClose={onClose}
      initial={{}}
      submit={async ({ volume, ...values }) => {
        await createSnapshot(volume, values);
        await queries.invalidateQueries({ queryKey: ['snapshots'] });
      }}
    >
      <Form.Item
        name="volume"
        label={t.volume}
        extra={t.volumeHint}
        rules={[{ required: true, message: k.required }]}
      >
        <Select
          showSearch={{ optionFilterProp: 'label' }}
          options={volumes
            .filter((volume) => refusal('snapshot', volume) === null)
            .map((volume) => ({ value: volume.id, label: `${volumeName(volume)} (${volume.size} GiB)` }))}
        />
      </Form.Item>
      <Form.Item name="name" label={k.name}>
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item name="description" label={k.description}>
        <Input.TextArea maxLength={255} rows={2} />
      </Form.Item>
    </FormDialog>
  );
}

export function SnapshotsPage() {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  const { everywhere, toggle } = useEverywhere('snapshots');
  const query = useQuery(snapshotsQuery(everywhere));
  const { data: volumes = NONE } = useQuery(volumesQuery(everywhere));
  const [origin, setOrigin] = useState<Origin | null>(null);
  const [creating, setCreating] = useState(false);
  return (
    <PageFrame
      title={t.title}
      extra={
        <ActionButton
          type="primary"
          icon={<PlusOutlined aria-hidden />}
          why={reader ? k.readOnlyRole : null}
          onClick={() => setCreating(true)}
        >
          {t.create}
        </ActionButton>
      }
    >
      <SnapshotTable
        key={String(everywhere)}
        name={everywhere ? 'snapshots-everywhere' : 'snapshots'}
        query={query}
        volumes={volumes}
        everywhere={everywhere}
        toolbar={toggle}
        onCreateVolume={(id) => setOrigin({ kind: 'snapshot', id })}
      />
      <CreateDialog open={creating} volumes={volumes} onClose={() => setCreating(false)} />
      <CreateVolumeDialog origin={origin} onClose={() => setOrigin(null)} />
    </PageFrame>
  );
}

const NONE: readonly never[] = [];
