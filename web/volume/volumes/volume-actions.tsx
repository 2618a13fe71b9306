// What can be done to a volume, in its row and on its page.
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Typography } from 'antd';
import type { MenuItems } from '../../kit/action-button.tsx';
import { useAction, useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { listSnapshotsOf } from '../snapshots/api.ts';
import { refusal, type VolumeAction } from './allowed.ts';
import {
  act,
  deleteVolume,
  detachVolume,
  transfersQuery,
  withdrawOffer,
  type Attachment,
  type Volume,
} from './api.ts';
import type { Origin } from './create-dialog.tsx';
import { volumeName, type DialogName } from './dialogs.tsx';
import { volumeText } from './text.ts';

const REFRESH = [['volumes'], ['snapshots'], ['servers']];

/** Why the user may not do it now; null: they may. */
export function useVolumeWhy(): (action: VolumeAction, volume: Volume) => string | null {
  const t = useText(volumeText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  return (action, volume) => {
    if (reader) return k.readOnlyRole;
    const refused = refusal(action, volume);
    return refused === null ? null : t.refusals[refused];
  };
}

export function useDetach(): (volume: Volume, attachment: Attachment) => void {
  const t = useText(volumeText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  return (volume, { server_id: server }) => {
    if (server === null) return;
    confirm({
      title: t.detachTitle(volumeName(volume)),
      content: t.detachContent,
      okText: t.detach,
      async run() {
        await detachVolume(volume.id, server);
        await Promise.all(REFRESH.map((queryKey) => queries.invalidateQueries({ queryKey })));
      },
    });
  };
}

/** Asks after it has seen which snapshots go as well. */
export function useDeleteVolume(): (volume: Volume, done?: () => void) => Promise<void> {
  const t = useText(volumeText);
  const k = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  return async (volume, done) => {
    const snapshots = await listSnapshotsOf(volume.id);
    confirm({
      title: t.deleteTitle(volumeName(volume)),
      content: (
        <>
          <Typography.Paragraph>{t.deleteContent(volume.size)}</Typography.Paragraph>
          {snapshots.length === 0 ? null : (
            <Typography.Paragraph strong>
              {t.deleteSnapshots(snapshots.length, snapshots.slice(0, 10).map(volumeName).join(', '))}
            </Typography.Paragraph>
          )}
        </>
      ),
      okText: k.delete,
      async run() {
        await deleteVolume(volume.id, snapshots.length > 0);
        done?.();
        await Promise.all(REFRESH.map((queryKey) => queries.invalidateQueries({ queryKey })));
      },
    });
  };
}

export function useVolumeActions({
  onDialog,
  onCreate,
  onDeleted,
}: {
  onDialog(name: DialogName, volume: Volume): void;
  onCreate(origin: Origin): void;
  onDeleted?(): void;
}): (volume: Volume) => MenuItems {
  const t = useText(volumeText);
  const k = useText(kitText);
  const why = useVolumeWhy();
  const reader = isReader(useSession());
  const detach = useDetach();
  const remove = useDeleteVolume();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const askFirst = useAction<Volume>({ refresh: [], run: (volume) => remove(volume, onDeleted) });
  const flag = useAction<{ volume: Volume; action: string; body: object }>({
    refresh: REFRESH,
    run: ({ volume, action, body }) => act(volume.id, action, body),
  });
  const withdraw = useAction<Volume>({
    refresh: REFRESH,
    async run(volume) {
      const offers = await queries.fetchQuery({ ...transfersQuery, staleTime: 0 });
      await Promise.all(
        offers.filter((offer) => offer.volume_id === volume.id).map(({ id }) => withdrawOffer(id)),
      );
    },
  });
  return (volume) => {
    const [attachment] = volume.attachments;
    const dialog = (name: Exclude<DialogName, 'edit'>) => ({
      key: name,
      label: t.actions[name],
      why: why(name, volume),
      run: () => onDialog(name, volume),
    });
    const bootable = volume.bootable === 'true';
    const readonly = volume.metadata['readonly'] === 'True';
    return [
      {
        key: 'edit',
        label: k.edit,
        why: reader ? k.readOnlyRole : null,
        run: () => onDialog('edit', volume),
      },
      dialog('extend'),
      dialog('retype'),
      null,
      attachment === undefined
        ? dialog('attach')
        : {
            key: 'detach',
            label: t.detach,
            danger: true,
            why: reader ? k.readOnlyRole : volume.status === 'in-use' ? null : t.refusals.notInState,
            run: () => detach(volume, attachment),
          },
      {
        key: 'server',
        label: t.bootServer,
        why: reader
          ? k.readOnlyRole
          : attachment !== undefined
            ? t.refusals.inUse
            : volume.status !== 'available'
              ? t.refusals.notInState
              : bootable
                ? null
                : t.refusals.notBootable,
        run: () => void navigate({ to: '/servers/create', search: { volume: volume.id } as never }),
      },
      {
        key: 'bootable',
        label: bootable ? t.notBootable : t.makeBootable,
        why: reader ? k.readOnlyRole : null,
        run: () => flag.mutate({ volume, action: 'os-set_bootable', body: { bootable: !bootable } }),
      },
      {
        key: 'readonly',
        label: readonly ? t.makeWritable : t.makeReadonly,
        why: why('readonly', volume),
        run: () => flag.mutate({ volume, action: 'os-update_readonly_flag', body: { readonly: !readonly } }),
      },
      null,
      dialog('snapshot'),
      dialog('backup'),
      {
        key: 'clone',
        label: t.actions.clone,
        why: why('clone', volume),
        run: () => onCreate({ kind: 'volume', id: volume.id }),
      },
      dialog('image'),
      volume.status === 'awaiting-transfer'
        ? {
            key: 'withdraw',
            label: t.actions.withdraw,
            why: why('withdraw', volume),
            run: () => withdraw.mutate(volume),
          }
        : dialog('transfer'),
      null,
      {
        key: 'delete',
        label: k.delete,
        danger: true,
        why: why('delete', volume),
        run: () => askFirst.mutate(volume),
      },
    ];
  };
}
