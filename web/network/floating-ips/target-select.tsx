// Chooses the address of a server that a floating IP leads to.
import { useQuery } from '@tanstack/react-query';
import { Form, Select } from 'antd';
import { useMemo } from 'react';
import { useText } from '../../kit/language.tsx';
import { useServerNames } from '../owners.tsx';
import { portsQuery } from '../ports/api.ts';
import { routersQuery } from '../routers/api.ts';
import { targetsOf, type Target } from './targets.ts';
import { floatingIpsText } from './text.ts';

/** Of one project: a floating IP leads to no other's servers. */
export function useTargets(networkId: string | undefined, projectId: string | undefined): readonly Target[] {
  const ports = useQuery(portsQuery());
  const routers = useQuery(routersQuery());
  return useMemo(
    () =>
      networkId === undefined
        ? []
        : targetsOf(networkId, ports.data ?? [], routers.data ?? []).filter(
            (target) => target.projectId === projectId,
          ),
    [networkId, projectId, ports.data, routers.data],
  );
}

export function TargetSelect({
  targets,
  name,
  label,
  hint,
}: {
  targets: readonly Target[];
  name: string;
  label: string;
  /** What it means to leave it empty; absent: it has to be chosen. */
  hint?: string;
}) {
  const t = useText(floatingIpsText);
  const servers = useServerNames();
  return (
    <Form.Item
      name={name}
      label={label}
      rules={[{ required: hint === undefined }]}
      {...(hint === undefined ? {} : { extra: hint })}
    >
      <Select
        allowClear={hint !== undefined}
        notFoundContent={t.noTarget}
        showSearch={{ optionFilterProp: 'label' }}
        options={targets.map(({ key, serverId, address, reachable }) => {
          const called = `${servers.get(serverId) ?? serverId.slice(0, 8)} · ${address}`;
          return {
            value: key,
            label: reachable ? called : `${called} (${t.unreachable})`,
            disabled: !reachable,
          };
        })}
      />
    </Form.Item>
  );
}
