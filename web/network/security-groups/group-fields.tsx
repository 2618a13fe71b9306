// The fields of a security group.
import { Form, Input } from 'antd';
import { useText } from '../../kit/language.tsx';
import { LabelledSwitch } from '../parts.tsx';
import { networkText } from '../text.ts';
import type { SecurityGroupBody } from './api.ts';
import { securityGroupsText } from './text.ts';

export type GroupValues = { name: string; description?: string; stateful: boolean };

/** The default group of a project keeps its name, and does not want to hear it. */
export const groupBody = (
  { name, description, stateful }: GroupValues,
  fixed = false,
): SecurityGroupBody => ({
  ...(fixed ? {} : { name: name.trim() }),
  description: description ?? '',
  stateful,
});

export function GroupFields({ fixed = false }: { fixed?: boolean }) {
  const t = useText(securityGroupsText);
  const general = useText(networkText);
  return (
    <>
      <Form.Item name="name" label={general.name} rules={[{ required: true, whitespace: true }]}>
        <Input autoFocus maxLength={255} disabled={fixed} />
      </Form.Item>
      <Form.Item name="description" label={general.description}>
        <Input maxLength={255} />
      </Form.Item>
      <Form.Item name="stateful" valuePropName="checked">
        <LabelledSwitch label={t.stateful} hint={t.statefulHint} />
      </Form.Item>
    </>
  );
}
