// The volumes of the project.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { useEverywhere } from '../../kit/everywhere.tsx';
import { useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable } from '../../kit/resource-table.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { deleteVolume, serverNamesQuery, volumesQuery, type Volume } from './api.ts';
import { useVolumeColumns } from './columns.tsx';
import { CreateVolumeDialog, type Origin } from './create-dialog.tsx';
import { VolumeDialog, volumeName, type DialogName } from './dialogs.tsx';
import { ResetStateDialog, useOperatorActions } from './operator-actions.tsx';
import { volumeText } from './text.ts';
import { AcceptDialog, Offers } from './transfers.tsx';
import { useVolumeActions, useVolumeWhy } from './volume-actions.tsx';

/** `/volumes?image=ID`: opened from there to make a volume of it. */
const originOf = (search: Readonly<Record<string, unknown>>): Origin | null => {
  for (const kind of ['image', 'snapshot', 'volume', 'backup'] as const) {
    const id = search[kind];
    if (typeof id === 'string') return { kind, id };
  }
  return null;
};

export function VolumesPage() {
  const t = useText(volumeText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  const navigate = useNavigate();
  const asked = originOf(useSearch({ strict: false }) as Record<string, unknown>);
  const { everywhere, toggle } = useEverywhere('volumes');
  const query = useQuery(volumesQuery(everywhere));
  const servers = useQuery(serverNamesQuery);
  const why = useVolumeWhy();
  const [origin, setOrigin] = useState<Origin | null>(asked);
  const [accepting, setAccepting] = useState(false);
  const [dialog, setDialog] = useState<{ name: DialogName; volume: Volume } | null>(null);
  const [reset, setReset] = useState<Volume | null>(null);
  const actions = useVolumeActions({
    onDialog: (name, volume) => setDialog({ name, volume }),
    onCreate: setOrigin,
  });
  const operatorActions = useOperatorActions(setReset);
  const columns = useVolumeColumns(servers.data ?? NONE, everywhere, (volume) => (
    <ActionMenu
      label={k.actionsOf(volumeName(volume))}
      items={[...actions(volume), ...operatorActions(volume)]}
    />
  ));
  const readOnly = reader ? k.readOnlyRole : null;
  const create = (
    <ActionButton
      type="primary"
      icon={<PlusOutlined aria-hidden />}
      why={readOnly}
      onClick={() => setOrigin({ kind: 'empty' })}
    >
      {t.create}
    </ActionButton>
  );
  return (
    <PageFrame
      title={t.title}
      extra={
        <>
          <ActionButton why={readOnly} onClick={() => setAccepting(true)}>
            {t.accept}
          </ActionButton>
          {create}
        </>
      }
    >
      <Offers volumes={query.data ?? []} />
      <ResourceTable<Volume>
        key={String(everywhere)}
        name={everywhere ? 'volumes-everywhere' : 'volumes'}
        label={t.title}
        query={query}
        rowKey={({ id }) => id}
        columns={columns}
        toolbar={toggle}
        empty={create}
        {...(reader
          ? {}
          : {
              bulk: (rows: readonly Volume[], clear: () => void) => (
                <BulkDelete<Volume>
                  rows={rows}
                  clear={clear}
                  mayDelete={(volume) => why('delete', volume) === null}
                  nameOf={volumeName}
                  remove={({ id }) => deleteVolume(id, false)}
                  lost={t.deleteManyContent}
                  refresh={[['volumes']]}
                />
              ),
            })}
      />
      <CreateVolumeDialog
        origin={origin}
        onClose={() => {
          setOrigin(null);
          if (asked !== null) void navigate({ to: '/volumes', replace: true });
        }}
      />
      <AcceptDialog open={accepting} onClose={() => setAccepting(false)} />
      <VolumeDialog open={dialog} onClose={() => setDialog(null)} />
      <ResetStateDialog volume={reset} onClose={() => setReset(null)} />
    </PageFrame>
  );
}

const NONE: readonly never[] = [];
