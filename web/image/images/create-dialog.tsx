// A new image: of a file of this computer, or of an address that the cloud reads itself.
import { InboxOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import {
  Alert,
  Checkbox,
  Flex,
  Form,
  Input,
  InputNumber,
  Segmented,
  Select,
  Typography,
  Upload,
  type FormInstance,
} from 'antd';
import { useState } from 'react';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { createFrom, createImage, importMethodsQuery, type Visibility } from './api.ts';
import { guess, nameOf, sourceOf, type Guess } from './guess.ts';
import { imageText } from './text.ts';
import { uploads } from './upload-panel.tsx';

export const DISK_FORMATS = ['qcow2', 'raw', 'vmdk', 'vdi', 'vhd', 'vhdx', 'iso', 'ploop'] as const;

type Values = {
  from: 'file' | 'web';
  uri: string;
  name: string;
  kind: 'vm' | 'container';
  disk_format: string;
  visibility: Visibility;
  min_disk: number;
  min_ram: number;
  tags: string[];
  protected: boolean;
};

const GIB = 1024 ** 3;

/** What is sent of the form. */
export const attributesOf = (values: Values): object => ({
  name: values.name,
  disk_format: values.kind === 'container' ? 'raw' : values.disk_format,
  container_format: values.kind === 'container' ? 'docker' : 'bare',
  visibility: values.visibility,
  min_disk: values.min_disk,
  min_ram: values.min_ram,
  tags: values.tags,
  protected: values.protected,
});

/** The choice of visibilities that the user may give. */
export function useVisibilities(): { value: Visibility; label: string }[] {
  const t = useText(imageText);
  const session = useSession();
  const may: Visibility[] = [
    'private',
    'shared',
    'community',
    ...(isOperator(session) ? ['public' as const] : []),
  ];
  return may.map((value) => ({ value, label: t.visibilityLong[value] }));
}

function FileChoice({
  form,
  file,
  onFile,
}: {
  form: FormInstance<Values>;
  file: File | null;
  onFile(file: File | null): void;
}) {
  const t = useText(imageText);
  const f = useFormat();
  const [found, setFound] = useState<Guess | null>(null);
  const look = async (chosen: File): Promise<void> => {
    onFile(chosen);
    setFound(null);
    const what = await guess(sourceOf(chosen));
    setFound(what);
    form.setFieldsValue({
      ...(form.isFieldTouched('name') ? {} : { name: nameOf(chosen.name).name }),
      kind: what.containerFormat === 'docker' ? 'container' : 'vm',
      disk_format: what.diskFormat,
      ...(what.virtualSize === null || what.containerFormat === 'docker'
        ? {}
        : { min_disk: Math.ceil(what.virtualSize / GIB) }),
    });
  };
  return (
    <Form.Item label={t.file} required>
      <Upload.Dragger
        maxCount={1}
        beforeUpload={(chosen) => {
          void look(chosen);
          return false;
        }}
        onRemove={() => {
          onFile(null);
          setFound(null);
        }}
        fileList={file === null ? [] : [{ uid: '1', name: `${file.name} (${f.bytes(file.size)})` }]}
        aria-label={t.file}
      >
        <InboxOutlined style={{ fontSize: 28 }} />
        <div>{t.drop}</div>
        <Typography.Text type="secondary">{t.dropHint}</Typography.Text>
      </Upload.Dragger>
      {found === null ? null : (
        <Alert
          style={{ marginTop: 8 }}
          showIcon
          type={found.warning === null ? (found.certain ? 'success' : 'info') : 'warning'}
          title={
            found.warning === null
              ? found.certain
                ? t.recognised(
                    found.containerFormat === 'docker' ? t.kinds.container : found.diskFormat,
                    found.virtualSize === null ? null : f.bytes(found.virtualSize),
                  )
                : t.unrecognised
              : t.warnings[found.warning]
          }
        />
      )}
    </Form.Item>
  );
}

function Fields({
  form,
  file,
  onFile,
}: {
  form: FormInstance<Values>;
  file: File | null;
  onFile(file: File | null): void;
}) {
  const t = useText(imageText);
  const k = useText(kitText);
  const methods = useQuery(importMethodsQuery);
  const visibilities = useVisibilities();
  const from = Form.useWatch('from', form);
  const kind = Form.useWatch('kind', form);
  const download = methods.data?.includes('web-download') === true;
  const proposeFrom = (uri: string): void => {
    if (!URL.canParse(uri)) return;
    const { name, format } = nameOf(decodeURIComponent(new URL(uri).pathname));
    form.setFieldsValue({
      ...(form.isFieldTouched('name') || name === '' ? {} : { name }),
      ...(format === null ? {} : { disk_format: format }),
    });
  };
  return (
    <>
      <Form.Item name="from" required label={t.from} {...(download ? {} : { extra: t.noDownload })}>
        <Segmented
          aria-label={t.from}
          options={[
            { value: 'file', label: t.fromFile },
            { value: 'web', label: t.fromWeb, disabled: !download },
          ]}
        />
      </Form.Item>
      {from === 'web' ? (
        <Form.Item
          name="uri"
          label={t.uri}
          extra={t.uriHint}
          rules={[{ required: true, type: 'url', message: t.uriRule }]}
        >
          <Input inputMode="url" autoComplete="off" onChange={(event) => proposeFrom(event.target.value)} />
        </Form.Item>
      ) : (
        <FileChoice form={form} file={file} onFile={onFile} />
      )}
      <Form.Item
        name="name"
        label={k.name}
        rules={[{ required: true, whitespace: true, message: k.required }]}
      >
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item
        name="kind"
        required
        label={t.kind}
        extra={kind === 'container' ? t.containerHint : t.vmHint}
      >
        <Segmented
          aria-label={t.kind}
          options={[
            { value: 'vm', label: t.kinds.vm },
            { value: 'container', label: t.kinds.container },
          ]}
        />
      </Form.Item>
      {kind === 'container' ? null : (
        <Form.Item name="disk_format" required label={t.diskFormat}>
          <Select options={DISK_FORMATS.map((value) => ({ value, label: t.diskFormats[value] }))} />
        </Form.Item>
      )}
      <Form.Item name="visibility" required label={t.visibility}>
        <Select options={visibilities} />
      </Form.Item>
      <Flex gap={16} wrap>
        <Form.Item name="min_disk" label={t.minDisk}>
          <InputNumber min={0} max={2 ** 31 - 1} precision={0} suffix="GiB" />
        </Form.Item>
        <Form.Item name="min_ram" label={t.minRam}>
          <InputNumber min={0} max={2 ** 31 - 1} precision={0} suffix="MiB" />
        </Form.Item>
      </Flex>
      <Form.Item name="tags" label={t.tags}>
        <Select mode="tags" open={false} suffixIcon={null} tokenSeparators={[',', ' ']} />
      </Form.Item>
      <Form.Item name="protected" valuePropName="checked">
        <Checkbox>{t.protectedLong}</Checkbox>
      </Form.Item>
    </>
  );
}

export function CreateImageDialog({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(imageText);
  const queries = useQueryClient();
  const { user } = useSession();
  const [file, setFile] = useState<File | null>(null);
  const submit = async (values: Values): Promise<void> => {
    if (values.from === 'web') await createFrom(attributesOf(values), values.uri);
    else if (file === null) throw new Error(t.chooseFile);
    else {
      const { id } = await createImage(attributesOf(values));
      void uploads.start({ id, name: values.name, file, userId: user.id });
    }
    setFile(null);
    await queries.invalidateQueries({ queryKey: ['images'] });
  };
  return (
    <FormDialog<Values>
      title={t.create}
      open={open}
      onClose={() => {
        setFile(null);
        onClose();
      }}
      width={640}
      initial={{
        from: 'file',
        kind: 'vm',
        disk_format: 'qcow2',
        visibility: 'private',
        min_disk: 0,
        min_ram: 0,
        tags: [],
        protected: false,
      }}
      submit={submit}
    >
      {(form) => <Fields form={form} file={file} onFile={setFile} />}
    </FormDialog>
  );
}
