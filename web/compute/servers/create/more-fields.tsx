// What most servers do without: user data, metadata, zone, server group, config drive.
import { UploadOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button, Checkbox, Form, Input, Select, Upload } from 'antd';
import { useText } from '../../../kit/language.tsx';
import { MetadataFields } from '../detail/metadata-tab.tsx';
import { nameIn } from '../states-text.ts';
import { serverGroupsQuery, zonesQuery } from './api.ts';
import { userDataFits, type CreateForm } from './request.ts';
import { createText } from './text.ts';

export function MoreFields() {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const zones = useQuery(zonesQuery);
  const groups = useQuery(serverGroupsQuery);
  return (
    <>
      <Form.Item
        name="userData"
        label={t.userData}
        extra={t.userDataHint}
        rules={[
          {
            validator: (_, text: string | undefined) =>
              userDataFits(text ?? '') ? Promise.resolve() : Promise.reject(new Error(t.userDataLong)),
          },
        ]}
      >
        <Input.TextArea autoSize={{ minRows: 4, maxRows: 16 }} className="code" spellCheck={false} />
      </Form.Item>
      <Form.Item>
        <Upload
          showUploadList={false}
          beforeUpload={(file) => {
            void file.text().then((text) => form.setFieldValue('userData', text));
            return false;
          }}
        >
          <Button icon={<UploadOutlined aria-hidden />}>{t.fromFile}</Button>
        </Upload>
      </Form.Item>
      <Form.Item label={t.metadata}>
        <MetadataFields name="metadata" />
      </Form.Item>
      <Form.Item name="zone" label={t.zone}>
        <Select
          allowClear
          placeholder={t.anyZone}
          loading={zones.isPending}
          options={(zones.data ?? []).map(({ zoneName }) => ({ value: zoneName, label: zoneName }))}
        />
      </Form.Item>
      <Form.Item name="serverGroup" label={t.serverGroup} extra={t.serverGroupHint}>
        <Select
          allowClear
          placeholder={t.noGroup}
          loading={groups.isPending}
          options={(groups.data ?? []).map(({ id, name, policy }) => ({
            value: id,
            label: `${name} (${nameIn(t.policies, policy)})`,
          }))}
        />
      </Form.Item>
      <Form.Item name="configDrive" valuePropName="checked" extra={t.configDriveHint}>
        <Checkbox>{t.configDrive}</Checkbox>
      </Form.Item>
    </>
  );
}
