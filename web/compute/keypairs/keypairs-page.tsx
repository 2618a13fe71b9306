// The key pairs of the user, with which servers let them in.
import { KeyOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Modal, Typography } from 'antd';
import { useState } from 'react';
import { ActionMenu, type MenuItems } from '../../kit/action-button.tsx';
import { useConfirm } from '../../kit/action.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { deleteKeypair, keypairsQuery, type Keypair } from './api.ts';
import { GenerateDialog } from './generate-dialog.tsx';
import { ImportDialog } from './import-dialog.tsx';
import { keypairText } from './text.ts';

/** e.g. 'ssh-ed25519' */
const kindOf = (keypair: Keypair): string =>
  keypair.type === 'x509' ? 'x509' : (keypair.public_key.split(' ')[0] ?? '');

function useColumns(actions: (keypair: Keypair) => MenuItems): readonly Column<Keypair>[] {
  const t = useText(keypairText);
  const k = useText(kitText);
  return [
    { key: 'name', title: k.name, value: ({ name }) => name, render: ({ name }) => name },
    { key: 'kind', title: t.kind, filter: true, value: kindOf, render: kindOf },
    {
      key: 'fingerprint',
      title: t.fingerprint,
      value: ({ fingerprint }) => fingerprint,
      render: ({ fingerprint }) => (
        <Typography.Text code copyable className="id">
          {fingerprint}
        </Typography.Text>
      ),
    },
    {
      key: 'actions',
      title: k.actions,
      width: 80,
      render: (keypair) => <ActionMenu label={k.actionsOf(keypair.name)} items={actions(keypair)} />,
    },
  ];
}

export function KeypairsPage() {
  const t = useText(keypairText);
  const k = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(keypairsQuery);
  const [open, setOpen] = useState<'generate' | 'import' | null>(null);
  const [shown, setShown] = useState<Keypair | null>(null);
  const close = (): void => setOpen(null);
  const columns = useColumns((keypair) => [
    { key: 'show', label: t.show, run: () => setShown(keypair) },
    null,
    {
      key: 'delete',
      label: k.delete,
      danger: true,
      run: () =>
        confirm({
          title: t.deleteTitle(keypair.name),
          content: t.deleteContent,
          okText: k.delete,
          async run() {
            await deleteKeypair(keypair.name);
            await queries.invalidateQueries({ queryKey: ['keypairs'] });
          },
        }),
    },
  ]);
  const generate = (
    <Button type="primary" icon={<KeyOutlined aria-hidden />} onClick={() => setOpen('generate')}>
      {t.generate}
    </Button>
  );
  return (
    <PageFrame
      title={t.title}
      extra={
        <>
          <Button onClick={() => setOpen('import')}>{t.import}</Button>
          {generate}
        </>
      }
    >
      <ResourceTable<Keypair>
        name="keypairs"
        label={t.title}
        query={query}
        rowKey={({ name }) => name}
        columns={columns}
        empty={generate}
        bulk={(rows, clear) => (
          <BulkDelete<Keypair>
            rows={rows}
            clear={clear}
            mayDelete={() => true}
            nameOf={({ name }) => name}
            remove={({ name }) => deleteKeypair(name)}
            lost={t.deleteContent}
            refresh={[['keypairs']]}
          />
        )}
      />
      <GenerateDialog open={open === 'generate'} onClose={close} />
      <ImportDialog open={open === 'import'} onClose={close} />
      <Modal
        open={shown !== null}
        title={shown?.name}
        onCancel={() => setShown(null)}
        footer={<Button onClick={() => setShown(null)}>{t.done}</Button>}
      >
        <div>{t.publicKey}</div>
        <Typography.Paragraph code copyable style={{ wordBreak: 'break-all' }}>
          {shown?.public_key ?? ''}
        </Typography.Paragraph>
      </Modal>
    </PageFrame>
  );
}
