// The actions of a server that need to be told something.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Alert, App, Form, Input, InputNumber, Radio, Select } from 'antd';
import { useState, type ReactNode } from 'react';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { actionsText } from './actions-text.ts';
import type { ActionName } from './allowed-actions.ts';
import { act, flavorsQuery, imagesQuery, snapshotVolume, updateServer } from './api.ts';
import { repeatable } from './bulk.ts';
import { useSize } from './flavor-size.ts';
import { typeOfImage, type Server, type ServerType } from './server.ts';

type Props = { server: Server; type: ServerType | null; onClose(): void };

type DialogProps<V extends object> = Props & {
  action: ActionName;
  initial: Partial<V>;
  /** What is said above the fields. */
  what: string;
  /** Something is lost. */
  loses?: boolean;
  submit(values: V): Promise<unknown>;
  children: ReactNode;
};

function Dialog<V extends object>({
  server,
  action,
  what,
  loses = false,
  onClose,
  submit,
  children,
  initial,
}: DialogProps<V>) {
  const a = useText(actionsText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  return (
    <FormDialog<V>
      open
      title={`${a.names[action]}: ${server.name}`}
      okText={a.names[action]}
      onClose={onClose}
      initial={initial}
      submit={async (values) => {
        try {
          await submit(values);
          void message.success(a.started(a.names[action], server.name));
        } finally {
          void queries.invalidateQueries({ queryKey: ['servers'] });
        }
      }}
    >
      {what === '' ? null : (
        <Alert type={loses ? 'warning' : 'info'} showIcon title={what} style={{ marginBottom: 16 }} />
      )}
      {children}
    </FormDialog>
  );
}

const useNeeded = () => {
  const k = useText(kitText);
  return { required: true, whitespace: true, message: k.required };
};

function RenameDialog(props: Props) {
  const a = useText(actionsText);
  const needed = useNeeded();
  const { server } = props;
  return (
    <Dialog<{ name: string; description: string }>
      {...props}
      action="rename"
      what=""
      initial={{ name: server.name, description: server.description ?? '' }}
      submit={({ name, description }) =>
        updateServer(server.id, { name, description: description === '' ? null : description })
      }
    >
      <Form.Item name="name" label={a.newName} rules={[needed]}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
      <Form.Item name="description" label={a.description}>
        <Input.TextArea maxLength={255} autoSize={{ minRows: 2 }} />
      </Form.Item>
    </Dialog>
  );
}

function LockDialog(props: Props) {
  const a = useText(actionsText);
  return (
    <Dialog<{ reason: string }>
      {...props}
      action="lock"
      what={a.lockWhat}
      initial={{ reason: '' }}
      submit={({ reason }) =>
        act(props.server.id, 'lock', reason.trim() === '' ? null : { locked_reason: reason.trim() })
      }
    >
      <Form.Item name="reason" label={a.lockReason} extra={a.lockReasonHint}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
    </Dialog>
  );
}

function ImageDialog(props: Props) {
  const a = useText(actionsText);
  const needed = useNeeded();
  const { server } = props;
  return (
    <Dialog<{ name: string }>
      {...props}
      action="createImage"
      what={a.imageWhat}
      initial={{ name: `${server.name}-${new Date().toISOString().slice(0, 10)}` }}
      submit={({ name }) => act(server.id, 'createImage', { name })}
    >
      <Form.Item name="name" label={a.imageName} rules={[needed]}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
    </Dialog>
  );
}

function BackupDialog(props: Props) {
  const a = useText(actionsText);
  const needed = useNeeded();
  const { server } = props;
  return (
    <Dialog<{ name: string; backup_type: string; rotation: number }>
      {...props}
      action="createBackup"
      what={a.imageWhat}
      initial={{ name: `${server.name}-backup`, backup_type: 'daily', rotation: 7 }}
      submit={(values) => act(server.id, 'createBackup', values)}
    >
      <Form.Item name="name" label={a.imageName} rules={[needed]}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
      <Form.Item name="backup_type" label={a.backupType}>
        <Radio.Group
          options={[
            { value: 'daily', label: a.backupDaily },
            { value: 'weekly', label: a.backupWeekly },
          ]}
        />
      </Form.Item>
      <Form.Item name="rotation" label={a.rotation} extra={a.rotationHint}>
        <InputNumber min={1} max={1000} precision={0} />
      </Form.Item>
    </Dialog>
  );
}

function SnapshotDialog(props: Props) {
  const a = useText(actionsText);
  const needed = useNeeded();
  const { server } = props;
  const projectId = useSession().project?.id ?? server.tenant_id;
  const volumes = server['os-extended-volumes:volumes_attached'];
  // What was made before a failure is not made again.
  const [run] = useState(() => {
    let name = '';
    const each = repeatable(
      volumes.map(({ id }) => ({ id, name: id })),
      ({ id }) => snapshotVolume(projectId, id, name),
    );
    return (wanted: string): Promise<void> => {
      name = wanted;
      return each();
    };
  });
  return (
    <Dialog<{ name: string }>
      {...props}
      action="snapshotVolumes"
      what={a.snapshotWhat(volumes.length)}
      initial={{ name: `${server.name}-${new Date().toISOString().slice(0, 10)}` }}
      submit={({ name }) => run(name.trim())}
    >
      <Form.Item name="name" label={a.snapshotName} rules={[needed]}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
    </Dialog>
  );
}

function useImageOptions(type: ServerType | null) {
  const images = useQuery(imagesQuery);
  const fit = [...(images.data?.values() ?? [])].filter(
    (image) => image.status === 'active' && (type === null || typeOfImage(image) === type),
  );
  return {
    loading: images.isPending,
    options: fit.map(({ id, name }) => ({ value: id, label: name ?? id })),
  };
}

function RebuildDialog(props: Props) {
  const a = useText(actionsText);
  const needed = useNeeded();
  const { server, type } = props;
  const { options, loading } = useImageOptions(type);
  return (
    <Dialog<{ imageRef: string }>
      {...props}
      action="rebuild"
      what={a.rebuildWhat}
      loses
      initial={server.image === '' ? {} : { imageRef: server.image.id }}
      submit={({ imageRef }) => act(server.id, 'rebuild', { imageRef })}
    >
      <Form.Item name="imageRef" label={a.rebuildImage} rules={[needed]} extra={a.rebuildOwnOnly}>
        <Select options={options} loading={loading} showSearch={{ optionFilterProp: 'label' }} />
      </Form.Item>
    </Dialog>
  );
}

const OWN_IMAGE = '';

function RescueDialog(props: Props) {
  const a = useText(actionsText);
  const { server } = props;
  const { options, loading } = useImageOptions('vm');
  const ownImage = server.image === '' ? [] : [{ value: OWN_IMAGE, label: a.rescueOwnImage }];
  return (
    <Dialog<{ image: string }>
      {...props}
      action="rescue"
      what={a.rescueWhat}
      loses
      initial={server.image === '' ? {} : { image: OWN_IMAGE }}
      submit={({ image }) =>
        act(server.id, 'rescue', image === OWN_IMAGE ? null : { rescue_image_ref: image })
      }
    >
      <Form.Item name="image" label={a.rescueImage}>
        <Select
          options={[...ownImage, ...options]}
          loading={loading}
          showSearch={{ optionFilterProp: 'label' }}
        />
      </Form.Item>
    </Dialog>
  );
}

function ResizeDialog(props: Props) {
  const a = useText(actionsText);
  const needed = useNeeded();
  const size = useSize();
  const flavors = useQuery(flavorsQuery);
  const { server } = props;
  const options = (flavors.data ?? [])
    .filter(({ name }) => name !== server.flavor.original_name)
    .toSorted((one, other) => one.ram - other.ram || one.vcpus - other.vcpus)
    .map((flavor) => ({
      value: flavor.id,
      label: `${flavor.name} (${size(flavor)})`,
      disabled: server.image !== '' && flavor.disk < server.flavor.disk,
    }));
  return (
    <Dialog<{ flavorRef: string }>
      {...props}
      action="resize"
      what={a.resizeWhat}
      loses
      initial={{}}
      submit={(values) => act(server.id, 'resize', values)}
    >
      <Form.Item
        name="flavorRef"
        label={a.resizeFlavor}
        rules={[needed]}
        extra={options.some(({ disabled }) => disabled) ? a.resizeDisk : undefined}
      >
        <Select
          options={options}
          loading={flavors.isPending}
          showSearch={{ optionFilterProp: 'label' }}
          placeholder={`${server.flavor.original_name} (${size(server.flavor)})`}
        />
      </Form.Item>
    </Dialog>
  );
}

function ResetDialog(props: Props) {
  const a = useText(actionsText);
  return (
    <Dialog<{ state: string }>
      {...props}
      action="resetState"
      what={a.resetWhat}
      initial={{ state: 'active' }}
      submit={(values) => act(props.server.id, 'os-resetState', values)}
    >
      <Form.Item name="state" label={a.resetTo}>
        <Radio.Group
          options={[
            { value: 'active', label: a.resetActive },
            { value: 'error', label: a.resetError },
          ]}
        />
      </Form.Item>
    </Dialog>
  );
}

const dialogs: Partial<Record<ActionName, (props: Props) => ReactNode>> = {
  rename: RenameDialog,
  lock: LockDialog,
  createImage: ImageDialog,
  createBackup: BackupDialog,
  snapshotVolumes: SnapshotDialog,
  rebuild: RebuildDialog,
  rescue: RescueDialog,
  resize: ResizeDialog,
  resetState: ResetDialog,
};

export function ActionDialog({ action, ...props }: Props & { action: ActionName }) {
  const Chosen = dialogs[action];
  return Chosen === undefined ? null : <Chosen {...props} />;
}
