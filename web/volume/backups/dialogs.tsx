// The forms of backups: making one, and giving its content back.
import { useQueryClient } from '@tanstack/react-query';
import { Alert, Checkbox, Form, Input, Segmented, Select } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { refusal } from '../volumes/allowed.ts';
import type { Volume } from '../volumes/api.ts';
import { NameFields, volumeName } from '../volumes/dialogs.tsx';
import { volumeText } from '../volumes/text.ts';
import { createBackup, restoreBackup, updateBackup, type Backup } from './api.ts';
import { backupText } from './text.ts';

function VolumeSelect({
  volumes,
  ...field
}: {
  volumes: readonly Volume[];
  id?: string;
  value?: string;
  onChange?(value: string): void;
}) {
  return (
    <Select
      {...field}
      showSearch={{ optionFilterProp: 'label' }}
      options={volumes.map((volume) => ({
        value: volume.id,
        label: `${volumeName(volume)} (${volume.size} GiB)`,
      }))}
    />
  );
}

export function CreateBackupDialog({
  open,
  volumes,
  onClose,
}: {
  open: boolean;
  volumes: readonly Volume[];
  onClose(): void;
}) {
  const t = useText(backupText);
  const v = useText(volumeText);
  const k = useText(kitText);
  const queries = useQueryClient();
  return (
    <FormDialog<{ volume: string; name: string; description: string; incremental: boolean }>
      title={t.create}
      open={open}
      onClose={onClose}
      initial={{ incremental: false }}
      submit={async ({ volume, name, description, incremental }) => {
        await createBackup({
          volume_id: volume,
          incremental,
          ...(name ? { name } : {}),
          ...(description ? { description } : {}),
        });
        await queries.invalidateQueries({ queryKey: ['backups'] });
      }}
    >
      <Form.Item name="volume" label={t.volume} rules={[{ required: true, message: k.required }]}>
        <VolumeSelect volumes={volumes.filter((volume) => refusal('backup', volume) === null)} />
      </Form.Item>
      <NameFields />
      <Form.Item name="incremental" valuePropName="checked" extra={v.incrementalHint}>
        <Checkbox>{v.incremental}</Checkbox>
      </Form.Item>
    </FormDialog>
  );
}

export function EditBackupDialog({ backup, onClose }: { backup: Backup | null; onClose(): void }) {
  const t = useText(backupText);
  const k = useText(kitText);
  const queries = useQueryClient();
  if (backup === null) return null;
  return (
    <FormDialog<{ name: string; description: string }>
      title={t.editTitle(volumeName(backup))}
      open
      onClose={onClose}
      okText={k.save}
      initial={{ name: backup.name ?? '', description: backup.description ?? '' }}
      submit={async (values) => {
        await updateBackup(backup.id, values);
        await queries.invalidateQueries({ queryKey: ['backups'] });
      }}
    >
      <NameFields />
    </FormDialog>
  );
}

export function RestoreDialog({
  backup,
  volumes,
  onClose,
}: {
  backup: Backup | null;
  volumes: readonly Volume[];
  onClose(): void;
}) {
  const t = useText(backupText);
  const k = useText(kitText);
  const f = useFormat();
  const queries = useQueryClient();
  if (backup === null) return null;
  const fit = volumes.filter((volume) => volume.status === 'available' && volume.size >= backup.size);
  return (
    <FormDialog<{ into: 'new' | 'over'; name: string; volume: string }>
      title={t.restoreTitle(volumeName(backup))}
      open
      onClose={onClose}
      okText={t.restore}
      initial={{ into: 'new' }}
      submit={async ({ into, name, volume }) => {
        await restoreBackup(backup.id, into === 'over' ? { volume_id: volume } : name ? { name } : {});
        await Promise.all(
          ['backups', 'volumes'].map((key) => queries.invalidateQueries({ queryKey: [key] })),
        );
      }}
    >
      {(form) => (
        <>
          <Form.Item name="into" required label={t.into}>
            <Segmented
              aria-label={t.into}
              options={[
                { value: 'new', label: t.intoNew },
                { value: 'over', label: t.intoOver },
              ]}
            />
          </Form.Item>
          <Form.Item noStyle dependencies={['into']}>
            {() =>
              form.getFieldValue('into') === 'over' ? (
                <>
                  <Alert type="warning" showIcon title={t.overwrites(f.time(backup.data_timestamp))} />
                  <Form.Item
                    name="volume"
                    label={t.volume}
                    extra={t.fitHint(backup.size)}
                    rules={[{ required: true, message: k.required }]}
                  >
                    <VolumeSelect volumes={fit} />
                  </Form.Item>
                </>
              ) : (
                <Form.Item name="name" label={t.newName}>
                  <Input maxLength={255} autoComplete="off" />
                </Form.Item>
              )
            }
          </Form.Item>
        </>
      )}
    </FormDialog>
  );
}
