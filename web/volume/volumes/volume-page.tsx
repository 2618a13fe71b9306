// One volume: what it is, where it is attached, and what was kept of it.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Alert, Button, Card, Descriptions, Flex, Tabs, Typography } from 'antd';
import { useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { ApiError } from '../../kit/api.ts';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Pending } from '../../kit/pending.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import { kitText } from '../../kit/text.ts';
import { backupsOfQuery } from '../backups/api.ts';
import { BackupTable } from '../backups/backup-table.tsx';
import { SnapshotTable } from '../snapshots/snapshot-table.tsx';
import { snapshotsOfQuery } from '../snapshots/api.ts';
import { messagesQuery, serverNamesQuery, volumeQuery, volumesQuery, type Volume } from './api.ts';
import { CreateVolumeDialog, type Origin } from './create-dialog.tsx';
import { VolumeDialog, volumeName, type DialogName } from './dialogs.tsx';
import { ResetStateDialog, useOperatorActions } from './operator-actions.tsx';
import { volumeText } from './text.ts';
import { useDetach, useVolumeActions, useVolumeWhy } from './volume-actions.tsx';
import { VolumeState } from './volume-state.tsx';

function Facts({ volume }: { volume: Volume }) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const f = useFormat();
  const image = volume.volume_image_metadata;
  const host = volume['os-vol-host-attr:host'];
  const items = [
    { label: k.id, children: <Id id={volume.id} /> },
    { label: t.size, children: `${f.number(volume.size)} GiB` },
    { label: t.type, children: volume.volume_type },
    { label: t.zone, children: volume.availability_zone },
    { label: t.bootable, children: volume.bootable === 'true' ? k.yes : k.no },
    { label: t.readonly, children: volume.metadata['readonly'] === 'True' ? k.yes : k.no },
    { label: k.project, children: <ProjectName id={volume['os-vol-tenant-attr:tenant_id']} /> },
    ...(host === undefined || host === null ? [] : [{ label: t.host, children: host }]),
    { label: k.created, children: f.time(volume.created_at) },
    ...(volume.snapshot_id === null
      ? []
      : [{ label: t.madeOfSnapshot, children: <Id id={volume.snapshot_id} /> }]),
    ...(volume.source_volid === null
      ? []
      : [{ label: t.madeOf, children: <ResourceLink to="/volumes" name={null} id={volume.source_volid} /> }]),
    ...(image?.['image_id'] === undefined
      ? []
      : [
          {
            label: t.madeOf,
            children: <ResourceLink to="/images" name={image['image_name'] ?? null} id={image['image_id']} />,
          },
        ]),
    { label: k.description, children: volume.description ?? '–' },
  ];
  return (
    <Card size="small">
      <Descriptions
        size="small"
        column={{ xs: 1, sm: 1, md: 2, lg: 2, xl: 2, xxl: 3 }}
        items={items.map((item, key) => ({ key, ...item }))}
      />
    </Card>
  );
}

/** What went wrong, in the cloud's words. */
function Messages({ volume }: { volume: Volume }) {
  const t = useText(volumeText);
  const f = useFormat();
  const messages = useQuery({ ...messagesQuery(volume.id), enabled: volume.status.startsWith('error') });
  if (!volume.status.startsWith('error')) return null;
  const list = messages.data ?? [];
  return (
    <Alert
      type="error"
      showIcon
      title={t.failed}
      description={
        <>
          {list.map((message) => (
            <div key={message.id}>
              {f.time(message.created_at)} {message.user_message}
            </div>
          ))}
          <Typography.Text type="secondary">{t.failedHint}</Typography.Text>
        </>
      }
    />
  );
}

function Attachments({ volume, onAttach }: { volume: Volume; onAttach(): void }) {
  const t = useText(volumeText);
  const f = useFormat();
  const why = useVolumeWhy();
  const servers = useQuery(serverNamesQuery);
  const detach = useDetach();
  const whyNot = why('snapshot', volume);
  return (
    <Card
      size="small"
      title={t.attachedTo}
      extra={
        volume.attachments.length > 0 ? null : (
          <ActionButton size="small" why={why('attach', volume)} onClick={onAttach}>
            {t.actions.attach}
          </ActionButton>
        )
      }
    >
      {volume.attachments.length === 0 ? (
        <Typography.Text type="secondary">{t.notAttached}</Typography.Text>
      ) : (
        volume.attachments.map((attachment) => (
          <Flex key={attachment.attachment_id} gap={12} align="center" wrap>
            {attachment.server_id === null ? null : (
              <ResourceLink
                to="/servers"
                id={attachment.server_id}
                name={servers.data?.find(({ id }) => id === attachment.server_id)?.name ?? null}
              />
            )}
            {attachment.device === null ? null : <code>{attachment.device}</code>}
            <Typography.Text type="secondary">
              {attachment.attached_at === null ? null : f.time(attachment.attached_at)}
            </Typography.Text>
            <ActionButton size="small" danger why={whyNot} onClick={() => detach(volume, attachment)}>
              {t.detach}
            </ActionButton>
          </Flex>
        ))
      )}
    </Card>
  );
}

function Pairs({ of, none }: { of: Readonly<Record<string, string>>; none: string }) {
  const entries = Object.entries(of);
  if (entries.length === 0) return <Typography.Text type="secondary">{none}</Typography.Text>;
  return (
    <Descriptions
      bordered
      size="small"
      column={1}
      styles={{ label: { width: '40%' } }}
      items={entries.map(([name, value]) => ({ key: name, label: <code>{name}</code>, children: value }))}
    />
  );
}

export function VolumePage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const t = useText(volumeText);
  const k = useText(kitText);
  const navigate = useNavigate();
  const query = useQuery(volumeQuery(id));
  const snapshots = useQuery(snapshotsOfQuery(id));
  const backups = useQuery(backupsOfQuery(id));
  const { data: volumes = NONE } = useQuery(volumesQuery(false));
  const why = useVolumeWhy();
  const [origin, setOrigin] = useState<Origin | null>(null);
  const [dialog, setDialog] = useState<DialogName | null>(null);
  const [reset, setReset] = useState<Volume | null>(null);
  const leave = (): void => void navigate({ to: '/volumes' });
  const actions = useVolumeActions({ onDialog: setDialog, onCreate: setOrigin, onDeleted: leave });
  const operatorActions = useOperatorActions(setReset, leave);
  const volume = query.data;
  const crumbs = [{ title: t.title, to: '/volumes' }];
  // What has gone meanwhile is no longer shown as if it were there.
  const gone = query.error instanceof ApiError && query.error.status === 404;
  if (volume === undefined || gone)
    return (
      <PageFrame title={t.one} crumbs={crumbs}>
        <Pending query={query} />
      </PageFrame>
    );
  const name = volumeName(volume);
  return (
    <PageFrame
      title={name}
      crumbs={crumbs}
      extra={
        <>
          <Flex align="center">
            <VolumeState status={volume.status} />
          </Flex>
          <ActionMenu label={k.actionsOf(name)} items={[...actions(volume), ...operatorActions(volume)]}>
            {k.actions}
          </ActionMenu>
        </>
      }
    >
      {query.error === null ? null : <Problem error={query.error} retry={() => void query.refetch()} />}
      <Messages volume={volume} />
      <Facts volume={volume} />
      <Attachments volume={volume} onAttach={() => setDialog('attach')} />
      <Tabs
        items={[
          {
            key: 'snapshots',
            label: t.snapshots,
            children: (
              <SnapshotTable
                name="volume-snapshots"
                query={snapshots}
                volumes={[volume]}
                onCreateVolume={(snapshot) => setOrigin({ kind: 'snapshot', id: snapshot })}
                toolbar={
                  <ActionButton why={why('snapshot', volume)} onClick={() => setDialog('snapshot')}>
                    {t.actions.snapshot}
                  </ActionButton>
                }
              />
            ),
          },
          {
            key: 'backups',
            label: t.backups,
            children: (
              <BackupTable
                name="volume-backups"
                query={backups}
                volumes={volumes}
                toolbar={
                  <ActionButton why={why('backup', volume)} onClick={() => setDialog('backup')}>
                    {t.actions.backup}
                  </ActionButton>
                }
              />
            ),
          },
          {
            key: 'metadata',
            label: t.metadata,
            children: (
              <Flex vertical gap={12} align="start">
                <Pairs of={volume.metadata} none={t.noMetadata} />
                <Button
                  onClick={() => setDialog('edit')}
                  disabled={why('snapshot', volume) === k.readOnlyRole}
                >
                  {k.edit}
                </Button>
              </Flex>
            ),
          },
          ...(volume.volume_image_metadata === undefined
            ? []
            : [
                {
                  key: 'image',
                  label: t.imageMetadata,
                  children: <Pairs of={volume.volume_image_metadata} none={t.noMetadata} />,
                },
              ]),
        ]}
      />
      <CreateVolumeDialog origin={origin} onClose={() => setOrigin(null)} />
      <VolumeDialog
        open={dialog === null ? null : { name: dialog, volume }}
        onClose={() => setDialog(null)}
      />
      <ResetStateDialog volume={reset} onClose={() => setReset(null)} />
    </PageFrame>
  );
}

const NONE: readonly never[] = [];
