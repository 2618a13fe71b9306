// A new volume: empty, or with the content of an image, snapshot, volume or backup.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Form, Input, InputNumber, Select, Typography, type FormInstance } from 'antd';
import { useEffect } from 'react';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { createVolume, defaultTypeQuery, limitsQuery, typesQuery } from './api.ts';
import { SOURCE_FIELD, SourceFields, useSources, type SourceKind } from './source-fields.tsx';
import { volumeText } from './text.ts';

/** What the volume is to be made of, where its user came from there. */
export type Origin = { kind: SourceKind; id?: string };

type Values = {
  name: string;
  description: string;
  from: SourceKind;
  source?: string;
  size: number;
  volume_type?: string;
};

/** The volume API takes no more. */
const MAX_GIB = 65_536;

function QuotaLeft() {
  const t = useText(volumeText);
  const limits = useQuery(limitsQuery);
  if (limits.data === undefined) return null;
  const left = (max: number, used: number): number | null => (max < 0 ? null : Math.max(0, max - used));
  return (
    <Typography.Text type="secondary">
      {t.quotaLeft(
        left(limits.data.maxTotalVolumes, limits.data.totalVolumesUsed),
        left(limits.data.maxTotalVolumeGigabytes, limits.data.totalGigabytesUsed),
      )}
    </Typography.Text>
  );
}

function Fields({ form }: { form: FormInstance<Values> }) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const types = useQuery(typesQuery);
  const fallback = useQuery(defaultTypeQuery);
  const kind = Form.useWatch('from', form) ?? 'empty';
  const source = Form.useWatch('source', form);
  const { choices } = useSources(kind);
  const least = choices.find(({ value }) => value === source)?.least ?? 1;
  useEffect(() => {
    const now = form.getFieldValue('size') as number | null;
    if (now === null || now < least || (kind !== 'empty' && !form.isFieldTouched('size')))
      form.setFieldValue('size', least);
  }, [form, least, kind]);
  return (
    <>
      <Form.Item name="name" label={k.name}>
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <SourceFields kind={kind} onChange={() => form.setFieldValue('source', undefined)} />
      <Form.Item
        name="size"
        label={t.size}
        extra={least > 1 ? t.atLeast(least) : null}
        rules={[
          { required: true, type: 'integer', min: least, max: MAX_GIB, message: t.sizeRule(least, MAX_GIB) },
        ]}
      >
        <InputNumber min={1} max={MAX_GIB} precision={0} suffix="GiB" />
      </Form.Item>
      <Form.Item name="volume_type" label={t.type}>
        <Select
          allowClear
          loading={types.isPending}
          placeholder={fallback.data?.name}
          options={(types.data ?? []).map((type) => ({ value: type.name, label: type.name }))}
        />
      </Form.Item>
      <Form.Item name="description" label={k.description}>
        <Input.TextArea maxLength={255} rows={2} />
      </Form.Item>
      <QuotaLeft />
    </>
  );
}

export function CreateVolumeDialog({ origin, onClose }: { origin: Origin | null; onClose(): void }) {
  const t = useText(volumeText);
  const queries = useQueryClient();
  if (origin === null) return null;
  return (
    <FormDialog<Values>
      title={t.create}
      open
      onClose={onClose}
      width={600}
      initial={{ from: origin.kind, ...(origin.id === undefined ? {} : { source: origin.id }), size: 10 }}
      submit={async (values) => {
        await createVolume({
          size: values.size,
          ...(values.name ? { name: values.name } : {}),
          ...(values.description ? { description: values.description } : {}),
          ...(values.volume_type ? { volume_type: values.volume_type } : {}),
          ...(values.from === 'empty' || values.source === undefined
            ? {}
            : { [SOURCE_FIELD[values.from]]: values.source }),
        });
        await queries.invalidateQueries({ queryKey: ['volumes'] });
      }}
    >
      {(form) => <Fields form={form} />}
    </FormDialog>
  );
}
