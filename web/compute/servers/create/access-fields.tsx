// How one gets into a new server: a key pair that is there, one that is made on the spot, or a public key.
import { useQuery } from '@tanstack/react-query';
import { Button, Flex, Form, Select } from 'antd';
import { useState } from 'react';
import { useText } from '../../../kit/language.tsx';
import { keypairsQuery } from '../../keypairs/api.ts';
import { GenerateDialog } from '../../keypairs/generate-dialog.tsx';
import { ImportDialog } from '../../keypairs/import-dialog.tsx';
import type { CreateForm } from './request.ts';
import { createText } from './text.ts';

export function AccessFields() {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const keys = useQuery(keypairsQuery);
  const [open, setOpen] = useState<'generate' | 'import' | null>(null);
  const choose = (name: string): void => form.setFieldValue('keyName', name);
  const close = (): void => setOpen(null);
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
              options={(keys.data ?? []).map(({ name }) => ({ value: name, label: name }))}
            />
          </Form.Item>
          <Button onClick={() => setOpen('generate')}>{t.generateKey}</Button>
          <Button onClick={() => setOpen('import')}>{t.importKey}</Button>
        </Flex>
      </Form.Item>
      <GenerateDialog open={open === 'generate'} onClose={close} onDone={choose} />
      <ImportDialog open={open === 'import'} onClose={close} onDone={choose} />
    </>
  );
}
