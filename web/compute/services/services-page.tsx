// Every service of the cloud on every host: whether it is heard of, and whether it takes new work.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Alert, App, Button, Form, Input } from 'antd';
import { useMemo, useState } from 'react';
import { useAction } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { servicesQuery, type ServiceLine } from './api.ts';
import { serviceText } from './text.ts';

const CHANGED = [['services'], ['hosts']];

function DisableService({ line, onClose }: { line: ServiceLine | null; onClose(): void }) {
  const t = useText(serviceText);
  const queries = useQueryClient();
  const { message } = App.useApp();
  return (
    <FormDialog<{ reason?: string }>
      title={line === null ? '' : t.disableTitle(line.name, line.host)}
      okText={t.disable}
      open={line !== null}
      onClose={onClose}
      initial={{ reason: '' }}
      submit={async ({ reason }) => {
        await line?.switch?.(false, (reason ?? '').trim());
        message.success(t.changed);
        await Promise.all(CHANGED.map((queryKey) => queries.invalidateQueries({ queryKey })));
      }}
    >
      {line === null ? null : <Alert type="warning" showIcon title={t.follows[line.area]} />}
      <Form.Item name="reason" label={t.reason} hidden={line?.area === 'network'}>
        <Input autoFocus maxLength={255} />
      </Form.Item>
    </FormDialog>
  );
}

export function ServicesPage() {
  const t = useText(serviceText);
  const kit = useText(kitText);
  const format = useFormat();
  const query = useQuery(servicesQuery);
  const [disabling, setDisabling] = useState<ServiceLine | null>(null);
  const { mutate: enable } = useAction<ServiceLine>({
    run: async (line) => line.switch?.(true, ''),
    refresh: CHANGED,
    done: t.changed,
  });
  const columns = useMemo(
    (): Column<ServiceLine>[] => [
      { key: 'name', title: t.service, render: ({ name }) => name, value: ({ name }) => name, filter: true },
      {
        key: 'area',
        title: t.area,
        render: ({ area }) => t[area],
        value: ({ area }) => t[area],
        filter: true,
      },
      { key: 'host', title: t.host, render: ({ host }) => host, value: ({ host }) => host, filter: true },
      { key: 'zone', title: t.zone, render: ({ zone }) => zone, value: ({ zone }) => zone },
      {
        key: 'state',
        title: t.state,
        render: ({ up }) => <StateTag state={up ? 'up' : 'error'}>{up ? t.up : t.down}</StateTag>,
        value: ({ up }) => (up ? t.up : t.down),
        filter: true,
      },
      {
        key: 'status',
        title: t.status,
        render: ({ enabled, reason }) => (
          <>
            <StateTag state={enabled ? 'enabled' : 'disabled'}>{enabled ? t.enabled : t.disabled}</StateTag>{' '}
            {reason}
          </>
        ),
        value: ({ enabled }) => (enabled ? t.enabled : t.disabled),
        filter: true,
      },
      {
        key: 'heard',
        title: t.heard,
        render: ({ heard }) =>
          heard === null ? null : <span title={format.time(heard)}>{format.ago(heard)}</span>,
        value: ({ heard }) => heard,
      },
      {
        key: 'actions',
        title: kit.actions,
        width: 110,
        render: (line) => {
          if (line.switch === null) return null;
          const [label, run] = line.enabled
            ? [t.disable, () => setDisabling(line)]
            : [t.enable, () => enable(line)];
          return (
            <Button size="small" aria-label={`${label}: ${line.name} ${line.host}`} onClick={run}>
              {label}
            </Button>
          );
        },
      },
    ],
    [t, kit, format, enable],
  );
  return (
    <PageFrame title={t.title}>
      <ResourceTable
        name="services"
        label={t.title}
        query={query}
        columns={columns}
        rowKey={({ key }) => key}
      />
      <DisableService line={disabling} onClose={() => setDisabling(null)} />
    </PageFrame>
  );
}
