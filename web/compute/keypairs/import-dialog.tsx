// A public key that its user has already.
import { UploadOutlined } from '@ant-design/icons';
import { useQueryClient } from '@tanstack/react-query';
import { Button, Form, Input, Upload, type FormInstance } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { importKeypair } from './api.ts';
import { NAME, nameFrom, readPublicKey } from './public-key.ts';
import { keypairText } from './text.ts';

type Values = { name: string; public_key: string };

/** A public key is a few kilobytes; what is larger is something else. */
const MOST_BYTES = 64 * 1024;

function Fields({ form }: { form: FormInstance<Values> }) {
  const t = useText(keypairText);
  const k = useText(kitText);
  const proposeName = (text: string): void => {
    const read = readPublicKey(text);
    if (read.ok && read.comment !== '' && !form.isFieldTouched('name'))
      form.setFieldValue('name', nameFrom(read.comment));
  };
  return (
    <>
      <Form.Item
        name="public_key"
        label={t.publicKey}
        extra={t.publicKeyHint}
        rules={[
          {
            required: true,
            async validator(_, value: string | undefined) {
              const read = readPublicKey(value ?? '');
              if (!read.ok) throw new Error(t.refused[read.why]);
            },
          },
        ]}
      >
        <Input.TextArea
          rows={5}
          spellCheck={false}
          autoFocus
          style={{ fontFamily: 'monospace', fontSize: 12 }}
          onChange={(event) => proposeName(event.target.value)}
        />
      </Form.Item>
      <Upload
        showUploadList={false}
        beforeUpload={(file) => {
          void file
            .slice(0, MOST_BYTES)
            .text()
            .then((text) => {
              form.setFieldValue('public_key', text.trim());
              proposeName(text);
              return form.validateFields(['public_key']);
            })
            // What is wrong with it stands at the field.
            .catch(() => {});
          return false;
        }}
      >
        <Button icon={<UploadOutlined aria-hidden />}>{t.fromFile}</Button>
      </Upload>
      <Form.Item
        name="name"
        label={k.name}
        rules={[{ required: true, whitespace: true, pattern: NAME, message: t.nameRule }]}
      >
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
    </>
  );
}

export function ImportDialog({
  open,
  onClose,
  onDone,
}: {
  open: boolean;
  onClose(): void;
  onDone?(name: string): void;
}) {
  const t = useText(keypairText);
  const queries = useQueryClient();
  return (
    <FormDialog<Values>
      title={t.import}
      open={open}
      onClose={onClose}
      okText={t.importShort}
      initial={{}}
      submit={async (values) => {
        const read = readPublicKey(values.public_key);
        if (!read.ok) throw new Error(t.refused[read.why]);
        await importKeypair({ name: values.name, public_key: read.text, type: read.type });
        await queries.invalidateQueries({ queryKey: ['keypairs'] });
        onDone?.(values.name);
      }}
    >
      {(form) => <Fields form={form} />}
    </FormDialog>
  );
}
