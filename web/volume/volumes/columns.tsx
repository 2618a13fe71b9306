// The columns of lists of volumes.
import { Flex, Tag } from 'antd';
import { useMemo, type ReactNode } from 'react';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import type { Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import type { ServerName, Volume } from './api.ts';
import { volumeName } from './dialogs.tsx';
import { volumeText } from './text.ts';
import { useStateName, VolumeState } from './volume-state.tsx';

export function useVolumeColumns(
  servers: readonly ServerName[],
  everywhere: boolean,
  menu: (volume: Volume) => ReactNode,
): readonly Column<Volume>[] {
  const t = useText(volumeText);
  const k = useText(kitText);
  const f = useFormat();
  const stateName = useStateName();
  return useMemo(() => {
    const serverName = (id: string | null): string => servers.find((one) => one.id === id)?.name ?? id ?? '';
    return [
      {
        key: 'name',
        title: k.name,
        value: volumeName,
        render: (volume) => (
          <Flex gap={6} align="center">
            <ResourceLink to="/volumes" name={volume.name} id={volume.id} />
            {volume.bootable === 'true' ? <Tag>{t.bootable}</Tag> : null}
          </Flex>
        ),
      },
      {
        key: 'status',
        title: k.state,
        filter: true,
        value: (volume) => stateName(volume.status),
        render: (volume) => <VolumeState status={volume.status} />,
      },
      {
        key: 'size',
        title: t.size,
        value: (volume) => volume.size,
        render: (volume) => `${f.number(volume.size)} GiB`,
      },
      {
        key: 'server',
        title: t.attachedTo,
        value: (volume) => volume.attachments.map((one) => serverName(one.server_id)).join(' '),
        render: (volume) =>
          volume.attachments.map((one) =>
            one.server_id === null ? null : (
              <div key={one.attachment_id}>
                <ResourceLink to="/servers" name={serverName(one.server_id)} id={one.server_id} />{' '}
                {one.device === null ? null : <code>{one.device}</code>}
              </div>
            ),
          ),
      },
      {
        key: 'type',
        title: t.type,
        filter: true,
        value: (volume) => volume.volume_type,
        render: (volume) => volume.volume_type,
      },
      {
        key: 'created',
        title: k.created,
        value: (volume) => volume.created_at,
        render: (volume) => <span title={f.time(volume.created_at)}>{f.ago(volume.created_at)}</span>,
      },
      {
        key: 'project',
        title: k.project,
        hidden: !everywhere,
        value: (volume) => volume['os-vol-tenant-attr:tenant_id'],
        render: (volume) => <ProjectName id={volume['os-vol-tenant-attr:tenant_id']} />,
      },
      { key: 'id', title: k.id, hidden: true, render: (volume) => <Id id={volume.id} /> },
      { key: 'actions', title: k.actions, width: 80, render: menu },
    ];
  }, [servers, everywhere, menu, t, k, f, stateName]);
}
