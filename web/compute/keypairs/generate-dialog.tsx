// A new key pair, made in this browser; its private key is shown once and is nowhere else.
import { CopyOutlined, DownloadOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Alert, App, Button, Checkbox, Flex, Form, Input, Modal, Select, Typography } from 'antd';
import { useState } from 'react';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { importKeypair } from './api.ts';
import { algorithmsHere, canGenerate, generatePair, type Algorithm } from './generate.ts';
import { fileNameOf, NAME } from './public-key.ts';
import { keypairText } from './text.ts';

type Made = { name: string; privateKey: string };

function save({ name, privateKey }: Made): void {
  const address = URL.createObjectURL(new Blob([privateKey], { type: 'application/x-pem-file' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = fileNameOf(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Closes only when its user says that the key is kept. */
function PrivateKey({ made, onClose }: { made: Made; onClose(): void }) {
  const t = useText(keypairText);
  const k = useText(kitText);
  const { message } = App.useApp();
  const [kept, setKept] = useState(false);
  const file = fileNameOf(made.name);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(made.privateKey);
    setKept(true);
    message.success(k.copied);
  };
  return (
    <Modal
      open
      closable={false}
      keyboard={false}
      mask={{ closable: false }}
      width={640}
      title={t.madeTitle(made.name)}
      footer={
        <Flex justify="space-between" align="center" gap={8} wrap>
          <Checkbox checked={kept} onChange={(event) => setKept(event.target.checked)}>
            {t.kept}
          </Checkbox>
          <Button type="primary" disabled={!kept} onClick={onClose}>
            {t.done}
          </Button>
        </Flex>
      }
    >
      <Flex vertical gap={12}>
        <Alert type="warning" showIcon title={t.onceTitle} description={t.once} />
        <Input.TextArea
          readOnly
          value={made.privateKey}
          rows={9}
          aria-label={t.privateKey}
          style={{ fontFamily: 'monospace', fontSize: 12 }}
        />
        <Flex gap={8} wrap>
          <Button
            type="primary"
            icon={<DownloadOutlined aria-hidden />}
            onClick={() => {
              save(made);
              setKept(true);
            }}
          >
            {t.download(file)}
          </Button>
          <Button icon={<CopyOutlined aria-hidden />} onClick={() => void copy()}>
            {k.copy}
          </Button>
        </Flex>
        <div>
          <Typography.Text type="secondary">{t.use}</Typography.Text>
          <pre
            style={{ margin: 0, overflowX: 'auto' }}
          >{`chmod 600 ${file}\nssh -i ${file} USER@ADDRESS`}</pre>
        </div>
      </Flex>
    </Modal>
  );
}

export function GenerateDialog({
  open,
  onClose,
  onDone,
}: {
  open: boolean;
  onClose(): void;
  onDone?(name: string): void;
}) {
  const t = useText(keypairText);
  const k = useText(kitText);
  const queries = useQueryClient();
  const { user } = useSession();
  const [made, setMade] = useState<Made | null>(null);
  const algorithms = useQuery({
    queryKey: ['keypairs', 'algorithms'],
    queryFn: algorithmsHere,
    enabled: open && canGenerate(),
    staleTime: Infinity,
  });
  const choices = algorithms.data ?? [];
  const best = choices[0];
  return (
    <>
      {open && !canGenerate() ? (
        <Modal open title={t.generate} onCancel={onClose} onOk={onClose} okText={t.done}>
          <Alert type="info" showIcon title={t.cannotTitle} description={t.cannot} />
          <pre style={{ overflowX: 'auto' }}>{'ssh-keygen -t ed25519 -f my-key\ncat my-key.pub'}</pre>
        </Modal>
      ) : (
        <FormDialog<{ name: string; algorithm: Algorithm }>
          title={t.generate}
          open={open && best !== undefined}
          onClose={onClose}
          okText={t.generateShort}
          initial={{ algorithm: best ?? 'ecdsa' }}
          submit={async ({ name, algorithm }) => {
            const pair = await generatePair(algorithm, `${user.name}@${name}`.replace(/\s+/g, '-'));
            await importKeypair({ name, public_key: pair.publicKey, type: 'ssh' });
            setMade({ name, privateKey: pair.privateKey });
            await queries.invalidateQueries({ queryKey: ['keypairs', 'list'] });
            onDone?.(name);
          }}
        >
          <Typography.Paragraph type="secondary">{t.generateHint}</Typography.Paragraph>
          <Form.Item
            name="name"
            label={k.name}
            rules={[{ required: true, whitespace: true, pattern: NAME, message: t.nameRule }]}
          >
            <Input maxLength={255} autoComplete="off" autoFocus />
          </Form.Item>
          <Form.Item name="algorithm" required label={t.algorithm}>
            <Select options={choices.map((value) => ({ value, label: t.algorithms[value] }))} />
          </Form.Item>
        </FormDialog>
      )}
      {made === null ? null : <PrivateKey made={made} onClose={() => setMade(null)} />}
    </>
  );
}
