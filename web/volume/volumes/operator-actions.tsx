// What only operators may do to a volume that is stuck.
import { useQueryClient } from '@tanstack/react-query';
import { Form, Select, Typography } from 'antd';
import type { MenuItems } from '../../kit/action-button.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { act, type Volume } from './api.ts';
import { volumeName } from './dialogs.tsx';
import { volumeText } from './text.ts';
import { useStateName } from './volume-state.tsx';

const STATUSES = ['available', 'error', 'in-use', 'maintenance'] as const;

/** Empty for everybody else. */
export function useOperatorActions(
  onReset: (volume: Volume) => void,
  onDeleted?: () => void,
): (volume: Volume) => MenuItems {
  const t = useText(volumeText);
  const operator = isOperator(useSession());
  const confirm = useConfirm();
  const queries = useQueryClient();
  return (volume) =>
    operator
      ? [
          null,
          { key: 'reset', label: t.resetState, run: () => onReset(volume) },
          {
            key: 'force',
            label: t.forceDelete,
            danger: true,
            run: () =>
              confirm({
                title: t.forceDeleteTitle(volumeName(volume)),
                content: t.forceDeleteContent,
                okText: t.forceDelete,
                async run() {
                  await act(volume.id, 'os-force_delete', {});
                  onDeleted?.();
                  await queries.invalidateQueries({ queryKey: ['volumes'] });
                },
              }),
          },
        ]
      : [];
}

export function ResetStateDialog({ volume, onClose }: { volume: Volume | null; onClose(): void }) {
  const t = useText(volumeText);
  const stateName = useStateName();
  const queries = useQueryClient();
  if (volume === null) return null;
  return (
    <FormDialog<{ status: string }>
      title={t.resetTitle(volumeName(volume))}
      open
      onClose={onClose}
      okText={t.resetState}
      initial={{ status: 'available' }}
      submit={async ({ status }) => {
        await act(volume.id, 'os-reset_status', { status });
        await queries.invalidateQueries({ queryKey: ['volumes'] });
      }}
    >
      <Typography.Paragraph type="secondary">{t.resetHint}</Typography.Paragraph>
      <Form.Item name="status" required label={t.newState}>
        <Select options={STATUSES.map((value) => ({ value, label: stateName(value) }))} />
      </Form.Item>
    </FormDialog>
  );
}
