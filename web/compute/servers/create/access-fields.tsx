// How one gets into a new server: a key pair that is there, or a public key that is imported on the spot.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Flex, Form, Input, Select } from 'antd';
import { useState } from 'react';
import { FormDialog } from '../../../kit/form-dialog.tsx';
import { useText } from '../../../kit/language.tsx';
import { importKey, keyNamesQuery } from './api.ts';
import type { CreateForm } from './request.ts';
import { createText } from './text.ts';

const PUBLIC_KEY = /^(ssh-|ecdsa-|sk-)\S+ \S+/;

function ImportDialog({
  open,
  onClose,
  onDone,
}: {
  open: boolean;
  onClose(): void;
  onDone(name: string): void;
}) {
  const t = useText(createText);
  const queries = useQueryClient();
  const needed = { required: true, whitespace: true, message: t.needed };
  return (
    <FormDialog<{ name: string; public_key: string }>
      open={open}
      title={t.importKey}
      okText={t.importKey}
      onClose={onClose}
      initial={{}}
      submit={async ({ name, public_key: publicKey }) => {
        await importKey(name.trim(), publicKey.trim());
        await queries.invalidateQueries({ queryKey: ['keypairs'] });
        onDone(name.trim());
      }}
    >
      <Form.Item name="name" label={t.keyName} rules={[needed]}>
        <Input maxLength={255} autoFocus />
      </Form.Item>
      <Form.Item
        name="public_key"
        label={t.publicKey}
        extra={t.publicKeyHint}
        rules={[
          needed,
          {
            validator: (_, value: string | undefined) =>
              (value ?? '').trim() === '' || PUBLIC_KEY.test((value ?? '').trim())
                ? Promise.resolve()
                : Promise.reject(new Error(t.publicKeyRule)),
          },
        ]}
      >
        <Input.TextArea autoSize={{ minRows: 3, maxRows: 8 }} spellCheck={false} />
      </Form.Item>
    </FormDialog>
  );
}

export function AccessFields() {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const keys = useQuery(keyNamesQuery);
  const [importing, setImporting] = useState(false);
  return (
    <>
      <Form.Item label={t.key} htmlFor="keyName" extra={t.keyHint}>
        <Flex gap={8} wrap>
          <Form.Item name="keyName" noStyle>
            <Select
              id="keyName"
              allowClear
              placeholder={t.noKey}
              loading={keys.isPending}
              showSearch
              style={{ flex: '1 1 200px' }}
              options={(keys.data ?? []).map((name) => ({ value: name, label: name }))}
            />
          </Form.Item>
          <Button icon={<PlusOutlined aria-hidden />} onClick={() => setImporting(true)}>
            {t.importKey}
          </Button>
        </Flex>
      </Form.Item>
      <ImportDialog
        open={importing}
        onClose={() => setImporting(false)}
        onDone={(name) => form.setFieldValue('keyName', name)}
      />
    </>
  );
}
