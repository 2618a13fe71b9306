// Taking a host out of scheduling, with the reason that other operators will read.
import { useQueryClient } from '@tanstack/react-query';
import { Alert, App, Form, Input } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { disableHost, type Host } from './api.ts';
import { hostText } from './text.ts';

export function DisableHost({ host, onClose }: { host: Host | null; onClose(): void }) {
  const t = useText(hostText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  return (
    <FormDialog<{ reason: string }>
      title={t.disableTitle(host?.hypervisor_hostname ?? '')}
      okText={t.disable}
      open={host !== null}
      onClose={onClose}
      initial={{ reason: '' }}
      submit={async ({ reason }) => {
        if (host === null) return;
        await disableHost(host, reason.trim());
        message.success(t.disabledDone);
        await Promise.all(
          [['hosts'], ['services']].map((queryKey) => queries.invalidateQueries({ queryKey })),
        );
      }}
    >
      <Alert type="warning" showIcon title={t.disableFollows(host?.running_vms ?? 0)} />
      <Form.Item name="reason" label={t.reason} extra={t.reasonHint}>
        <Input autoFocus maxLength={255} />
      </Form.Item>
    </FormDialog>
  );
}
