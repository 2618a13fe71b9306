// Making and changing a group.
import { useQueryClient } from '@tanstack/react-query';
import { App, Form, Input } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { createGroup, updateGroup, type Group } from './api.ts';
import { groupText } from './text.ts';

/** `group`: the one to change; null: a new one. */
export function GroupForm({ open, group, onClose }: { open: boolean; group: Group | null; onClose(): void }) {
  const t = useText(groupText);
  const kit = useText(kitText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  return (
    <FormDialog<Pick<Group, 'name' | 'description'>>
      title={group === null ? t.create : t.edit}
      okText={group === null ? kit.create : kit.save}
      open={open}
      onClose={onClose}
      initial={{ name: group?.name ?? '', description: group?.description ?? '' }}
      submit={async (fields) => {
        if (group === null) await createGroup({ ...fields, domain_id: 'default' });
        else await updateGroup(group.id, fields);
        message.success(group === null ? t.created : t.changed);
        await queries.invalidateQueries({ queryKey: ['groups'] });
      }}
    >
      <Form.Item name="name" label={kit.name} rules={[{ required: true, message: kit.required }]}>
        <Input autoFocus maxLength={64} />
      </Form.Item>
      <Form.Item name="description" label={kit.description}>
        <Input />
      </Form.Item>
    </FormDialog>
  );
}
