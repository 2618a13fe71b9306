// The forms of what can be done to one volume.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Alert, App, Button, Checkbox, Flex, Form, Input, InputNumber, Select, Typography } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { KeyValues, keyValuesOf, mapOf, type KeyValue } from '../../kit/key-values.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { createBackup } from '../backups/api.ts';
import { createSnapshot } from '../snapshots/api.ts';
import {
  act,
  attachVolume,
  offerVolume,
  serverNamesQuery,
  typesQuery,
  updateVolume,
  type Volume,
} from './api.ts';
import { volumeText } from './text.ts';

export const DIALOGS = [
  'edit',
  'extend',
  'retype',
  'attach',
  'snapshot',
  'backup',
  'image',
  'transfer',
] as const;
export type DialogName = (typeof DIALOGS)[number];

type Props = { volume: Volume; onClose(): void };

export const volumeName = ({ name, id }: { name: string | null; id: string }): string =>
  name === null || name === '' ? id : name;

/** Looks again at what a change of a volume touches. */
function useRefresh(): () => Promise<unknown> {
  const queries = useQueryClient();
  return () =>
    Promise.all(
      ['volumes', 'snapshots', 'backups', 'servers'].map((key) =>
        queries.invalidateQueries({ queryKey: [key] }),
      ),
    );
}

export function NameFields() {
  const k = useText(kitText);
  return (
    <>
      <Form.Item name="name" label={k.name}>
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item name="description" label={k.description}>
        <Input.TextArea maxLength={255} rows={2} />
      </Form.Item>
    </>
  );
}

function Edit({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const refresh = useRefresh();
  // The volume API shows a flag of its own among what users write.
  const { readonly: _, ...metadata } = volume.metadata;
  return (
    <FormDialog<{ name: string; description: string; metadata: KeyValue[] }>
      title={t.dialogs.edit(volumeName(volume))}
      open
      onClose={onClose}
      okText={k.save}
      initial={{
        name: volume.name ?? '',
        description: volume.description ?? '',
        metadata: keyValuesOf(metadata),
      }}
      submit={async ({ name, description, metadata: list }) => {
        await updateVolume(volume.id, { name, description, metadata: mapOf(list) });
        await refresh();
      }}
    >
      <NameFields />
      <KeyValues name="metadata" label={t.metadata} />
    </FormDialog>
  );
}

function Extend({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const refresh = useRefresh();
  return (
    <FormDialog<{ size: number }>
      title={t.dialogs.extend(volumeName(volume))}
      open
      onClose={onClose}
      okText={t.actions.extend}
      initial={{ size: volume.size + 1 }}
      submit={async ({ size }) => {
        await act(volume.id, 'os-extend', { new_size: size });
        await refresh();
      }}
    >
      <Form.Item
        name="size"
        label={t.newSize}
        extra={volume.attachments.length > 0 ? t.extendOnline : t.extendHint}
        rules={[
          { required: true, type: 'integer', min: volume.size + 1, message: t.largerThan(volume.size) },
        ]}
      >
        <InputNumber min={volume.size + 1} precision={0} suffix="GiB" />
      </Form.Item>
    </FormDialog>
  );
}

function Retype({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const refresh = useRefresh();
  const types = useQuery(typesQuery);
  return (
    <FormDialog<{ type: string }>
      title={t.dialogs.retype(volumeName(volume))}
      open
      onClose={onClose}
      okText={t.actions.retype}
      initial={{}}
      submit={async ({ type }) => {
        await act(volume.id, 'os-retype', { new_type: type, migration_policy: 'never' });
        await refresh();
      }}
    >
      <Form.Item
        name="type"
        label={t.type}
        extra={t.typeNow(volume.volume_type)}
        rules={[{ required: true, message: k.required }]}
      >
        <Select
          loading={types.isPending}
          notFoundContent={t.noOtherType}
          options={(types.data ?? [])
            .filter(({ name }) => name !== volume.volume_type)
            .map((type) => ({ value: type.name, label: type.name }))}
        />
      </Form.Item>
    </FormDialog>
  );
}

function Attach({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const refresh = useRefresh();
  const servers = useQuery(serverNamesQuery);
  return (
    <FormDialog<{ server: string; gone: boolean }>
      title={t.dialogs.attach(volumeName(volume))}
      open
      onClose={onClose}
      okText={t.actions.attach}
      initial={{ gone: false }}
      submit={async ({ server, gone }) => {
        await attachVolume(volume.id, server, gone);
        await refresh();
      }}
    >
      <Form.Item
        name="server"
        label={t.server}
        extra={t.attachHint}
        rules={[{ required: true, message: k.required }]}
      >
        <Select
          loading={servers.isPending}
          notFoundContent={t.noServer}
          showSearch={{ optionFilterProp: 'label' }}
          options={(servers.data ?? []).map((server) => ({
            value: server.id,
            label: `${server.name} (${server.status})`,
          }))}
        />
      </Form.Item>
      <Form.Item name="gone" valuePropName="checked">
        <Checkbox>{t.goesWithServer}</Checkbox>
      </Form.Item>
    </FormDialog>
  );
}

function Snapshot({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const refresh = useRefresh();
  return (
    <FormDialog<{ name: string; description: string }>
      title={t.dialogs.snapshot(volumeName(volume))}
      open
      onClose={onClose}
      initial={{}}
      submit={async (values) => {
        await createSnapshot(volume.id, values);
        await refresh();
      }}
    >
      {volume.attachments.length > 0 ? <Alert type="info" showIcon title={t.snapshotInUse} /> : null}
      <NameFields />
    </FormDialog>
  );
}

function Backup({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const refresh = useRefresh();
  return (
    <FormDialog<{ name: string; description: string; incremental: boolean }>
      title={t.dialogs.backup(volumeName(volume))}
      open
      onClose={onClose}
      initial={{ incremental: false }}
      submit={async ({ name, description, incremental }) => {
        await createBackup({
          volume_id: volume.id,
          incremental,
          ...(name ? { name } : {}),
          ...(description ? { description } : {}),
        });
        await refresh();
      }}
    >
      {volume.attachments.length > 0 ? <Alert type="info" showIcon title={t.snapshotInUse} /> : null}
      <NameFields />
      <Form.Item name="incremental" valuePropName="checked" extra={t.incrementalHint}>
        <Checkbox>{t.incremental}</Checkbox>
      </Form.Item>
    </FormDialog>
  );
}

function ToImage({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const refresh = useRefresh();
  const navigate = useNavigate();
  const { notification } = App.useApp();
  return (
    <FormDialog<{ name: string; format: 'qcow2' | 'raw' }>
      title={t.dialogs.image(volumeName(volume))}
      open
      onClose={onClose}
      initial={{ name: volume.name ?? '', format: 'qcow2' }}
      submit={async ({ name, format }) => {
        const { 'os-volume_upload_image': begun } = await act<{
          'os-volume_upload_image': { image_id: string };
        }>(volume.id, 'os-volume_upload_image', {
          image_name: name,
          disk_format: format,
          container_format: 'bare',
        });
        notification.success({
          title: t.imageBegun,
          actions: (
            <Button size="small" onClick={() => void navigate({ to: `/images/${begun.image_id}` })}>
              {t.showImage}
            </Button>
          ),
        });
        await refresh();
      }}
    >
      <Form.Item
        name="name"
        label={t.imageName}
        rules={[{ required: true, whitespace: true, message: k.required }]}
      >
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item name="format" required label={t.diskFormat}>
        <Select options={(['qcow2', 'raw'] as const).map((value) => ({ value, label: value }))} />
      </Form.Item>
    </FormDialog>
  );
}

function Transfer({ volume, onClose }: Props) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const refresh = useRefresh();
  const { modal } = App.useApp();
  return (
    <FormDialog<{ name: string; snapshots: boolean }>
      title={t.dialogs.transfer(volumeName(volume))}
      open
      onClose={onClose}
      okText={t.actions.transfer}
      initial={{ name: volume.name ?? '', snapshots: true }}
      submit={async ({ name, snapshots }) => {
        const offer = await offerVolume(volume.id, name ?? '', snapshots);
        await refresh();
        modal.success({
          title: t.offered,
          width: 560,
          okText: t.keyKept,
          content: (
            <Flex vertical gap={8}>
              <Alert type="warning" showIcon title={t.keyOnce} />
              {(
                [
                  [k.id, offer.id],
                  [t.key, offer.auth_key],
                ] as const
              ).map(([label, value]) => (
                <div key={label}>
                  <div>{label}</div>
                  <Typography.Text code copyable>
                    {value}
                  </Typography.Text>
                </div>
              ))}
            </Flex>
          ),
        });
      }}
    >
      <Typography.Paragraph type="secondary">{t.transferHint}</Typography.Paragraph>
      <Form.Item name="name" label={t.transferName}>
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item name="snapshots" valuePropName="checked">
        <Checkbox>{t.withSnapshots}</Checkbox>
      </Form.Item>
    </FormDialog>
  );
}

const parts = {
  edit: Edit,
  extend: Extend,
  retype: Retype,
  attach: Attach,
  snapshot: Snapshot,
  backup: Backup,
  image: ToImage,
  transfer: Transfer,
} satisfies Record<DialogName, (props: Props) => unknown>;

export function VolumeDialog({
  open,
  onClose,
}: {
  open: { name: DialogName; volume: Volume } | null;
  onClose(): void;
}) {
  if (open === null) return null;
  const Part = parts[open.name];
  return <Part key={`${open.name} ${open.volume.id}`} volume={open.volume} onClose={onClose} />;
}
