// Backups with what can be done to each; on their own page and on that of a volume.
import { useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { Tag, Tooltip } from 'antd';
import { useMemo, useState, type ReactNode } from 'react';
import { ActionMenu, type MenuItems } from '../../kit/action-button.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import type { Volume } from '../volumes/api.ts';
import { CreateVolumeDialog, type Origin } from '../volumes/create-dialog.tsx';
import { volumeName } from '../volumes/dialogs.tsx';
import { useStateName, VolumeState } from '../volumes/volume-state.tsx';
import { deleteBackup, type Backup } from './api.ts';
import { EditBackupDialog, RestoreDialog } from './dialogs.tsx';
import { backupText } from './text.ts';

/** Why it cannot be deleted now; null: it can. */
function useDeleteWhy(): (backup: Backup) => string | null {
  const t = useText(backupText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  return (backup) => {
    if (reader) return k.readOnlyRole;
    if (backup.has_dependent_backups) return t.hasDependents;
    return ['available', 'error'].includes(backup.status) ? null : t.busy;
  };
}

function useColumns(
  volumes: readonly Volume[],
  everywhere: boolean,
  actions: (backup: Backup) => MenuItems,
): readonly Column<Backup>[] {
  const t = useText(backupText);
  const k = useText(kitText);
  const f = useFormat();
  const stateName = useStateName();
  return useMemo(
    () => [
      {
        key: 'name',
        title: k.name,
        value: volumeName,
        render: (backup) => (
          <>
            {volumeName(backup)} {backup.is_incremental ? <Tag>{t.incremental}</Tag> : null}
          </>
        ),
      },
      {
        key: 'volume',
        title: t.volume,
        value: (backup) => volumes.find(({ id }) => id === backup.volume_id)?.name ?? backup.volume_id,
        render: (backup) => {
          const volume = volumes.find(({ id }) => id === backup.volume_id);
          return volume === undefined ? (
            <Tooltip title={t.volumeGone}>
              <Id id={backup.volume_id} short />
            </Tooltip>
          ) : (
            <ResourceLink to="/volumes" name={volume.name} id={volume.id} />
          );
        },
      },
      {
        key: 'status',
        title: k.state,
        filter: true,
        value: ({ status }) => stateName(status),
        render: ({ status, fail_reason: reason }) => (
          <>
            <VolumeState status={status} />
            {reason === null ? null : <div>{reason}</div>}
          </>
        ),
      },
      {
        key: 'size',
        title: t.size,
        value: ({ size }) => size,
        render: ({ size }) => `${f.number(size)} GiB`,
      },
      {
        key: 'data',
        title: t.dataOf,
        value: (backup) => backup.data_timestamp,
        render: (backup) => <span title={f.ago(backup.data_timestamp)}>{f.time(backup.data_timestamp)}</span>,
      },
      {
        key: 'description',
        title: k.description,
        hidden: true,
        value: (backup) => backup.description,
        render: (backup) => backup.description,
      },
      {
        key: 'project',
        title: k.project,
        hidden: !everywhere,
        render: (backup) => <ProjectName id={backup['os-backup-project-attr:project_id'] ?? ''} />,
      },
      { key: 'id', title: k.id, hidden: true, render: (backup) => <Id id={backup.id} /> },
      {
        key: 'actions',
        title: k.actions,
        width: 80,
        render: (backup) => <ActionMenu label={k.actionsOf(volumeName(backup))} items={actions(backup)} />,
      },
    ],
    [volumes, everywhere, actions, t, k, f, stateName],
  );
}

type Props = {
  /** For the kept choice of columns. */
  name: string;
  query: Pick<UseQueryResult<Backup[]>, 'data' | 'error' | 'isPending' | 'isFetching' | 'refetch'>;
  /** Those whose names are known, and into which a backup can be restored. */
  volumes: readonly Volume[];
  toolbar?: ReactNode;
  everywhere?: boolean;
};

export function BackupTable({ name, query, volumes, toolbar, everywhere = false }: Props) {
  const t = useText(backupText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  const confirm = useConfirm();
  const queries = useQueryClient();
  const deleteWhy = useDeleteWhy();
  const [edited, setEdited] = useState<Backup | null>(null);
  const [restored, setRestored] = useState<Backup | null>(null);
  const [origin, setOrigin] = useState<Origin | null>(null);
  const role = reader ? k.readOnlyRole : null;
  const actions = (backup: Backup): MenuItems => {
    const ready = role ?? (backup.status === 'available' ? null : t.busy);
    return [
      { key: 'restore', label: t.restore, why: ready, run: () => setRestored(backup) },
      {
        key: 'volume',
        label: t.createVolume,
        why: ready,
        run: () => setOrigin({ kind: 'backup', id: backup.id }),
      },
      null,
      { key: 'edit', label: k.edit, why: role, run: () => setEdited(backup) },
      {
        key: 'delete',
        label: k.delete,
        danger: true,
        why: deleteWhy(backup),
        run: () =>
          confirm({
            title: t.deleteTitle(volumeName(backup)),
            content: t.deleteContent,
            okText: k.delete,
            async run() {
              await deleteBackup(backup.id);
              await queries.invalidateQueries({ queryKey: ['backups'] });
            },
          }),
      },
    ];
  };
  const columns = useColumns(volumes, everywhere, actions);
  return (
    <>
      <ResourceTable<Backup>
        name={name}
        label={t.title}
        query={query}
        rowKey={({ id }) => id}
        columns={columns}
        toolbar={toolbar}
        {...(reader
          ? {}
          : {
              bulk: (rows: readonly Backup[], clear: () => void) => (
                <BulkDelete<Backup>
                  rows={rows}
                  clear={clear}
                  mayDelete={(backup) => deleteWhy(backup) === null}
                  nameOf={volumeName}
                  remove={({ id }) => deleteBackup(id)}
                  lost={t.deleteContent}
                  refresh={[['backups']]}
                />
              ),
            })}
      />
      <EditBackupDialog backup={edited} onClose={() => setEdited(null)} />
      <RestoreDialog backup={restored} volumes={volumes} onClose={() => setRestored(null)} />
      <CreateVolumeDialog origin={origin} onClose={() => setOrigin(null)} />
    </>
  );
}
