// Snapshots with what can be done to each; on their own page and on that of a volume.
import { useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { Form, Input } from 'antd';
import { useMemo, useState, type ReactNode } from 'react';
import { ActionMenu, type MenuItems } from '../../kit/action-button.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { KeyValues, keyValuesOf, mapOf, type KeyValue } from '../../kit/key-values.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { createBackup } from '../backups/api.ts';
import type { Volume } from '../volumes/api.ts';
import { volumeName } from '../volumes/dialogs.tsx';
import { useStateName, VolumeState } from '../volumes/volume-state.tsx';
import { deleteSnapshot, revertTo, setSnapshotMetadata, updateSnapshot, type Snapshot } from './api.ts';
import { latestOf } from './latest.ts';
import { snapshotText } from './text.ts';

type Props = {
  /** For the kept choice of columns. */
  name: string;
  query: Pick<UseQueryResult<Snapshot[]>, 'data' | 'error' | 'isPending' | 'isFetching' | 'refetch'>;
  /** Those whose names are known. */
  volumes: readonly Volume[];
  onCreateVolume(snapshot: string): void;
  toolbar?: ReactNode;
  everywhere?: boolean;
};

const DELETABLE: readonly string[] = ['available', 'error', 'error_deleting'];

/** Why it cannot be deleted now; null: it can. */
function useDeleteWhy(): (snapshot: Snapshot) => string | null {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  return (snapshot) => {
    if (reader) return k.readOnlyRole;
    if (snapshot.group_snapshot_id !== null) return t.grouped;
    return DELETABLE.includes(snapshot.status) ? null : t.busy;
  };
}

function EditDialog({ snapshot, onClose }: { snapshot: Snapshot | null; onClose(): void }) {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const queries = useQueryClient();
  if (snapshot === null) return null;
  return (
    <FormDialog<{ name: string; description: string; metadata: KeyValue[] }>
      title={t.editTitle(volumeName(snapshot))}
      open
      onClose={onClose}
      okText={k.save}
      initial={{
        name: snapshot.name ?? '',
        description: snapshot.description ?? '',
        metadata: keyValuesOf(snapshot.metadata),
      }}
      submit={async ({ name, description, metadata }) => {
        await updateSnapshot(snapshot.id, { name, description });
        await setSnapshotMetadata(snapshot.id, mapOf(metadata));
        await queries.invalidateQueries({ queryKey: ['snapshots'] });
      }}
    >
      <Form.Item name="name" label={k.name}>
        <Input maxLength={255} />
      </Form.Item>
      <Form.Item name="description" label={k.description}>
        <Input.TextArea maxLength={255} rows={2} />
      </Form.Item>
      <KeyValues name="metadata" label={t.metadata} />
    </FormDialog>
  );
}

function BackupDialog({ snapshot, onClose }: { snapshot: Snapshot | null; onClose(): void }) {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const queries = useQueryClient();
  if (snapshot === null) return null;
  return (
    <FormDialog<{ name: string }>
      title={t.backupTitle(volumeName(snapshot))}
      open
      onClose={onClose}
      initial={{ name: snapshot.name ?? '' }}
      submit={async ({ name }) => {
        await createBackup({
          volume_id: snapshot.volume_id,
          snapshot_id: snapshot.id,
          incremental: false,
          ...(name ? { name } : {}),
        });
        await queries.invalidateQueries({ queryKey: ['backups'] });
      }}
    >
      <Form.Item name="name" label={k.name}>
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
    </FormDialog>
  );
}

function useActions(
  props: Props,
  onEdit: (snapshot: Snapshot) => void,
  onBackup: (snapshot: Snapshot) => void,
): (snapshot: Snapshot) => MenuItems {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  const deleteWhy = useDeleteWhy();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const latest = latestOf(props.query.data ?? []);
  const refresh = () =>
    Promise.all(['snapshots', 'volumes'].map((key) => queries.invalidateQueries({ queryKey: [key] })));
  return (snapshot) => {
    const role = reader ? k.readOnlyRole : null;
    const ready = role ?? (snapshot.status === 'available' ? null : t.busy);
    const volume = props.volumes.find(({ id }) => id === snapshot.volume_id);
    const noRevert = !latest.has(snapshot.id)
      ? t.notLatest
      : volume !== undefined && volume.attachments.length > 0
        ? t.volumeInUse
        : volume !== undefined && volume.size !== snapshot.size
          ? t.volumeGrown
          : null;
    return [
      { key: 'volume', label: t.createVolume, why: ready, run: () => props.onCreateVolume(snapshot.id) },
      { key: 'backup', label: t.backup, why: ready, run: () => onBackup(snapshot) },
      {
        key: 'revert',
        label: t.revert,
        danger: true,
        why: ready ?? noRevert,
        run: () =>
          confirm({
            title: t.revertTitle(volume === undefined ? snapshot.volume_id : volumeName(volume)),
            content: t.revertContent,
            okText: t.revert,
            async run() {
              await revertTo(snapshot);
              await refresh();
            },
          }),
      },
      null,
      { key: 'edit', label: k.edit, why: role, run: () => onEdit(snapshot) },
      {
        key: 'delete',
        label: k.delete,
        danger: true,
        why: deleteWhy(snapshot),
        run: () =>
          confirm({
            title: t.deleteTitle(volumeName(snapshot)),
            content: t.deleteContent,
            okText: k.delete,
            async run() {
              await deleteSnapshot(snapshot.id);
              await refresh();
            },
          }),
      },
    ];
  };
}

function useColumns(
  volumes: readonly Volume[],
  everywhere: boolean,
  actions: (snapshot: Snapshot) => MenuItems,
): readonly Column<Snapshot>[] {
  const t = useText(snapshotText);
  const k = useText(kitText);
  const f = useFormat();
  const stateName = useStateName();
  return useMemo(() => {
    const nameOf = (id: string): string => {
      const volume = volumes.find((one) => one.id === id);
      return volume === undefined ? id : volumeName(volume);
    };
    return [
      { key: 'name', title: k.name, value: volumeName, render: volumeName },
      {
        key: 'volume',
        title: t.volume,
        value: ({ volume_id: id }) => nameOf(id),
        render: ({ volume_id: id }) => (
          <ResourceLink to="/volumes" name={volumes.find((one) => one.id === id)?.name} id={id} />
        ),
      },
      {
        key: 'status',
        title: k.state,
        filter: true,
        value: ({ status }) => stateName(status),
        render: ({ status }) => <VolumeState status={status} />,
      },
      {
        key: 'size',
        title: t.size,
        value: ({ size }) => size,
        render: ({ size }) => `${f.number(size)} GiB`,
      },
      {
        key: 'created',
        title: k.created,
        value: (snapshot) => snapshot.created_at,
        render: (snapshot) => <span title={f.time(snapshot.created_at)}>{f.ago(snapshot.created_at)}</span>,
      },
      {
        key: 'description',
        title: k.description,
        hidden: true,
        value: (snapshot) => snapshot.description,
        render: (snapshot) => snapshot.description,
      },
      {
        key: 'project',
        title: k.project,
        hidden: !everywhere,
        value: (snapshot) => snapshot['os-extended-snapshot-attributes:project_id'],
        render: (snapshot) => <ProjectName id={snapshot['os-extended-snapshot-attributes:project_id']} />,
      },
      { key: 'id', title: k.id, hidden: true, render: (snapshot) => <Id id={snapshot.id} /> },
      {
        key: 'actions',
        title: k.actions,
        width: 80,
        render: (snapshot) => (
          <ActionMenu label={k.actionsOf(volumeName(snapshot))} items={actions(snapshot)} />
        ),
      },
    ];
  }, [volumes, everywhere, actions, t, k, f, stateName]);
}

export function SnapshotTable(props: Props) {
  const t = useText(snapshotText);
  const reader = isReader(useSession());
  const [edited, setEdited] = useState<Snapshot | null>(null);
  const [kept, setKept] = useState<Snapshot | null>(null);
  const deleteWhy = useDeleteWhy();
  const actions = useActions(props, setEdited, setKept);
  const columns = useColumns(props.volumes, props.everywhere ?? false, actions);
  return (
    <>
      <ResourceTable<Snapshot>
        name={props.name}
        label={t.title}
        query={props.query}
        rowKey={({ id }) => id}
        columns={columns}
        toolbar={props.toolbar}
        {...(reader
          ? {}
          : {
              bulk: (rows: readonly Snapshot[], clear: () => void) => (
                <BulkDelete<Snapshot>
                  rows={rows}
                  clear={clear}
                  mayDelete={(snapshot) => deleteWhy(snapshot) === null}
                  nameOf={volumeName}
                  remove={({ id }) => deleteSnapshot(id)}
                  lost={t.deleteContent}
                  refresh={[['snapshots']]}
                />
              ),
            })}
      />
      <EditDialog snapshot={edited} onClose={() => setEdited(null)} />
      <BackupDialog snapshot={kept} onClose={() => setKept(null)} />
    </>
  );
}
