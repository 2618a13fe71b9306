// Changes what an image says of itself.
import { useQueryClient } from '@tanstack/react-query';
import { Checkbox, Flex, Form, Input, InputNumber, Select } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { KeyValues, keyValuesOf, mapOf, type KeyValue } from '../../kit/key-values.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { customProperties, patchImage, type Image, type Visibility } from './api.ts';
import { DISK_FORMATS, useVisibilities } from './create-dialog.tsx';
import { patchBetween } from './patch.ts';
import { imageText } from './text.ts';

type Values = Pick<Image, 'name' | 'min_disk' | 'min_ram' | 'protected' | 'os_hidden' | 'disk_format'> & {
  visibility: Visibility;
  tags: string[];
  properties: KeyValue[];
};

/** What the cloud itself reads, offered while a name is typed. */
const KNOWN = [
  'architecture', 'hw_architecture', 'hw_cdrom_bus', 'hw_disk_bus', 'hw_firmware_type', 'hw_machine_type',
  'hw_rescue_bus', 'hw_rescue_device', 'hw_vif_model', 'os_admin_user', 'os_distro', 'os_type', 'os_version', 'strata:type',
]; // prettier-ignore

const valuesOf = (image: Image): Values => ({
  name: image.name,
  visibility: image.visibility,
  disk_format: image.disk_format,
  min_disk: image.min_disk,
  min_ram: image.min_ram,
  protected: image.protected,
  os_hidden: image.os_hidden,
  tags: [...image.tags],
  properties: keyValuesOf(customProperties(image)),
});

/** As the image API has it: custom properties beside the standard ones. */
const flat = ({ properties, ...standard }: Values): Record<string, unknown> => ({
  ...mapOf(properties),
  ...standard,
});

export function EditImageDialog({ image, onClose }: { image: Image | null; onClose(): void }) {
  const t = useText(imageText);
  const k = useText(kitText);
  const queries = useQueryClient();
  const visibilities = useVisibilities();
  if (image === null) return null;
  const choices = visibilities.some(({ value }) => value === image.visibility)
    ? visibilities
    : [...visibilities, { value: image.visibility, label: t.visibilityLong[image.visibility] }];
  return (
    <FormDialog<Values>
      title={t.editTitle(image.name ?? image.id)}
      open
      onClose={onClose}
      width={640}
      okText={k.save}
      initial={valuesOf(image)}
      submit={async (values) => {
        const before = valuesOf(image);
        // Fields that the form does not show keep their value.
        const patch = patchBetween(flat(before), flat({ ...before, ...values }));
        if (patch.length > 0) await patchImage(image.id, patch);
        await queries.invalidateQueries({ queryKey: ['images'] });
      }}
    >
      <Form.Item name="name" label={k.name}>
        <Input maxLength={255} />
      </Form.Item>
      <Form.Item name="visibility" required label={t.visibility}>
        <Select options={choices} />
      </Form.Item>
      {image.status === 'queued' && image.container_format === 'bare' ? (
        <Form.Item name="disk_format" required label={t.diskFormat}>
          <Select options={DISK_FORMATS.map((value) => ({ value, label: t.diskFormats[value] }))} />
        </Form.Item>
      ) : null}
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
      <Form.Item name="protected" valuePropName="checked" style={{ marginBottom: 4 }}>
        <Checkbox>{t.protectedLong}</Checkbox>
      </Form.Item>
      <Form.Item name="os_hidden" valuePropName="checked">
        <Checkbox>{t.hiddenLong}</Checkbox>
      </Form.Item>
      <KeyValues
        name="properties"
        label={t.properties}
        pattern={/^[A-Za-z0-9_:.-]{1,255}$/}
        rule={t.propertyRule}
        known={KNOWN}
      />
    </FormDialog>
  );
}
