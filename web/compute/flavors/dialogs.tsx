// The forms of flavors. A flavor never changes its size: servers were made by it.
import { useQueryClient } from '@tanstack/react-query';
import { Flex, Form, Input, InputNumber, Switch } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { KeyValues, keyValuesOf, mapOf, type KeyValue } from '../../kit/key-values.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { createFlavor, describeFlavor, setExtraSpecs, type Flavor, type NewFlavor } from './api.ts';
import { flavorText } from './text.ts';

const MOST = 2 ** 31 - 1;
/** The compute API takes no other names of extra specs. */
const SPEC = /^[a-zA-Z0-9\-_:. ]{1,255}$/;

type NewValues = NewFlavor & { specs: KeyValue[] };

export function CreateFlavorDialog({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(flavorText);
  const k = useText(kitText);
  const queries = useQueryClient();
  return (
    <FormDialog<NewValues>
      title={t.create}
      open={open}
      onClose={onClose}
      width={600}
      initial={{ vcpus: 1, ram: 2048, disk: 20, swap: 0, is_public: true, specs: [] }}
      submit={async ({ specs, id, description, ...flavor }) => {
        const made = await createFlavor({
          ...flavor,
          ...(id ? { id } : {}),
          ...(description ? { description } : {}),
        });
        try {
          await setExtraSpecs(made, {}, mapOf(specs));
        } finally {
          await queries.invalidateQueries({ queryKey: ['flavors'] });
        }
      }}
    >
      <Form.Item
        name="name"
        label={k.name}
        rules={[{ required: true, whitespace: true, message: k.required }]}
      >
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Flex gap={16} wrap>
        <Form.Item name="vcpus" label={t.vcpus} rules={[{ required: true, message: k.required }]}>
          <InputNumber min={1} max={4096} precision={0} />
        </Form.Item>
        <Form.Item name="ram" label={t.ram} rules={[{ required: true, message: k.required }]}>
          <InputNumber min={1} max={MOST} precision={0} suffix="MiB" />
        </Form.Item>
        <Form.Item
          name="disk"
          label={t.disk}
          extra={t.diskHint}
          rules={[{ required: true, message: k.required }]}
        >
          <InputNumber min={0} max={MOST} precision={0} suffix="GiB" />
        </Form.Item>
        <Form.Item name="swap" label={t.swap} rules={[{ required: true, message: k.required }]}>
          <InputNumber min={0} max={MOST} precision={0} suffix="MiB" />
        </Form.Item>
      </Flex>
      <Form.Item name="description" label={k.description}>
        <Input.TextArea rows={2} />
      </Form.Item>
      <Form.Item name="id" label={k.id} extra={t.idHint}>
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item name="is_public" required label={t.public} extra={t.publicHint} valuePropName="checked">
        <Switch />
      </Form.Item>
      <KeyValues name="specs" label={t.extraSpecs} pattern={SPEC} rule={t.specRule} />
    </FormDialog>
  );
}

export function EditFlavorDialog({ flavor, onClose }: { flavor: Flavor | null; onClose(): void }) {
  const t = useText(flavorText);
  const k = useText(kitText);
  const queries = useQueryClient();
  if (flavor === null) return null;
  return (
    <FormDialog<{ description: string; specs: KeyValue[] }>
      title={t.editTitle(flavor.name)}
      open
      onClose={onClose}
      width={600}
      okText={k.save}
      initial={{ description: flavor.description ?? '', specs: keyValuesOf(flavor.extra_specs) }}
      submit={async ({ description, specs }) => {
        try {
          if (description !== (flavor.description ?? '')) await describeFlavor(flavor.id, description);
          await setExtraSpecs(flavor.id, flavor.extra_specs, mapOf(specs));
        } finally {
          await queries.invalidateQueries({ queryKey: ['flavors'] });
        }
      }}
    >
      <Form.Item name="description" label={k.description} extra={t.sizeStays}>
        <Input.TextArea rows={2} />
      </Form.Item>
      <KeyValues name="specs" label={t.extraSpecs} pattern={SPEC} rule={t.specRule} />
    </FormDialog>
  );
}
