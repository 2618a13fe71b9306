// What servers can be given: processors, memory, disk. Operators make flavors and say who may use them.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Tag, Typography } from 'antd';
import { useMemo, useState, type ReactNode } from 'react';
import { ActionMenu, type MenuItems } from '../../kit/action-button.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { AccessDialog } from './access-dialog.tsx';
import { deleteFlavor, flavorsQuery, type Flavor } from './api.ts';
import { CreateFlavorDialog, EditFlavorDialog } from './dialogs.tsx';
import { flavorText } from './text.ts';

function useColumns(operator: boolean, menu: (flavor: Flavor) => ReactNode): readonly Column<Flavor>[] {
  const t = useText(flavorText);
  const k = useText(kitText);
  const f = useFormat();
  return useMemo(
    () => [
      {
        key: 'name',
        title: k.name,
        value: ({ name }) => name,
        render: ({ name, description }) => (
          <>
            <div>{name}</div>
            {description === null ? null : <Typography.Text type="secondary">{description}</Typography.Text>}
          </>
        ),
      },
      { key: 'vcpus', title: t.vcpus, value: ({ vcpus }) => vcpus, render: ({ vcpus }) => f.number(vcpus) },
      { key: 'ram', title: t.ram, value: ({ ram }) => ram, render: ({ ram }) => f.mib(ram) },
      {
        key: 'disk',
        title: t.disk,
        value: ({ disk }) => disk,
        render: ({ disk }) => (disk === 0 ? t.asImage : `${f.number(disk)} GiB`),
      },
      {
        key: 'swap',
        title: t.swap,
        hidden: true,
        value: ({ swap }) => swap,
        render: ({ swap }) => (swap === 0 ? '–' : f.mib(swap)),
      },
      {
        key: 'public',
        title: t.access,
        filter: true,
        hidden: !operator,
        value: (flavor) => (flavor['os-flavor-access:is_public'] ? t.public : t.restricted),
        render: (flavor) => (flavor['os-flavor-access:is_public'] ? t.public : t.restricted),
      },
      {
        key: 'specs',
        title: t.extraSpecs,
        value: (flavor) => Object.keys(flavor.extra_specs).join(' '),
        render: (flavor) =>
          Object.entries(flavor.extra_specs).map(([key, value]) => <Tag key={key}>{`${key}=${value}`}</Tag>),
      },
      { key: 'id', title: k.id, hidden: true, value: ({ id }) => id, render: ({ id }) => <Id id={id} /> },
      ...(operator ? [{ key: 'actions', title: k.actions, width: 80, render: menu }] : []),
    ],
    [operator, menu, t, k, f],
  );
}

export function FlavorsPage() {
  const t = useText(flavorText);
  const k = useText(kitText);
  const operator = isOperator(useSession());
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(flavorsQuery(operator));
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<Flavor | null>(null);
  const [granted, setGranted] = useState<Flavor | null>(null);
  const actions = (flavor: Flavor): MenuItems => [
    { key: 'edit', label: k.edit, run: () => setEdited(flavor) },
    {
      key: 'access',
      label: t.who,
      why: flavor['os-flavor-access:is_public'] ? t.isPublic : null,
      run: () => setGranted(flavor),
    },
    null,
    {
      key: 'delete',
      label: k.delete,
      danger: true,
      run: () =>
        confirm({
          title: t.deleteTitle(flavor.name),
          content: t.deleteContent,
          okText: k.delete,
          async run() {
            await deleteFlavor(flavor.id);
            await queries.invalidateQueries({ queryKey: ['flavors'] });
          },
        }),
    },
  ];
  const columns = useColumns(operator, (flavor) => (
    <ActionMenu label={k.actionsOf(flavor.name)} items={actions(flavor)} />
  ));
  const create = operator ? (
    <Button type="primary" icon={<PlusOutlined aria-hidden />} onClick={() => setCreating(true)}>
      {t.create}
    </Button>
  ) : null;
  return (
    <PageFrame title={t.title} extra={create}>
      <ResourceTable<Flavor>
        name={operator ? 'flavors-operator' : 'flavors'}
        label={t.title}
        query={query}
        rowKey={({ id }) => id}
        columns={columns}
        empty={create}
        {...(operator
          ? {
              bulk: (rows: readonly Flavor[], clear: () => void) => (
                <BulkDelete<Flavor>
                  rows={rows}
                  clear={clear}
                  mayDelete={() => true}
                  nameOf={({ name }) => name}
                  remove={({ id }) => deleteFlavor(id)}
                  lost={t.deleteContent}
                  refresh={[['flavors']]}
                />
              ),
            }
          : {})}
      />
      <CreateFlavorDialog open={creating} onClose={() => setCreating(false)} />
      <EditFlavorDialog flavor={edited} onClose={() => setEdited(null)} />
      <AccessDialog flavor={granted} onClose={() => setGranted(null)} />
    </PageFrame>
  );
}
