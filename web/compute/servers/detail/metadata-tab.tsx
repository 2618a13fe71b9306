// The metadata and the tags of a server, edited as a whole.
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { Alert, Button, Card, Flex, Form, Input, Select, Tag, Typography } from 'antd';
import { useAction } from '../../../kit/action.tsx';
import { useText } from '../../../kit/language.tsx';
import { kitText } from '../../../kit/text.ts';
import { metadataOf, METADATA_KEY, rowsOf, TAG, type MetadataRow } from '../metadata.ts';
import type { Server } from '../server.ts';
import { setMetadata, setTags } from './api.ts';
import { useWhyNot } from './may-change.ts';
import { partsText } from './parts-text.ts';

/** Keys and values; the field `name` of a form holds the rows. */
export function MetadataFields({ name }: { name: string }) {
  const t = useText(partsText);
  const k = useText(kitText);
  return (
    <Form.List name={name}>
      {(fields, { add, remove }) => (
        <Flex vertical gap={8}>
          {fields.map(({ key, name: at }) => (
            <Flex key={key} gap={8} align="start">
              <Form.Item
                name={[at, 'key']}
                style={{ flex: 1, margin: 0 }}
                rules={[
                  { required: true, message: k.required },
                  { pattern: METADATA_KEY, message: t.keyRule },
                  ({ getFieldValue }) => ({
                    validator: (_, value: string) =>
                      (getFieldValue(name) as MetadataRow[]).filter((row) => row?.key === value).length > 1
                        ? Promise.reject(new Error(t.twice))
                        : Promise.resolve(),
                  }),
                ]}
              >
                <Input aria-label={t.key} placeholder={t.key} maxLength={255} />
              </Form.Item>
              <Form.Item name={[at, 'value']} style={{ flex: 2, margin: 0 }}>
                <Input aria-label={t.value} placeholder={t.value} maxLength={255} />
              </Form.Item>
              <Button
                type="text"
                icon={<DeleteOutlined aria-hidden />}
                aria-label={t.removeEntry(String(at + 1))}
                onClick={() => remove(at)}
              />
            </Flex>
          ))}
          <Button
            icon={<PlusOutlined aria-hidden />}
            onClick={() => add({ key: '', value: '' })}
            style={{ alignSelf: 'flex-start' }}
          >
            {t.addMetadata}
          </Button>
        </Flex>
      )}
    </Form.List>
  );
}

function Edited({ server }: { server: Server }) {
  const t = useText(partsText);
  const metadata = useAction<MetadataRow[]>({
    run: (rows) => setMetadata(server.id, metadataOf(rows)),
    refresh: [['servers', 'one', server.id]],
    done: t.saved,
  });
  const tags = useAction<string[]>({
    run: (list) => setTags(server.id, list),
    refresh: [['servers', 'one', server.id]],
    done: t.saved,
  });
  return (
    <Flex vertical gap={16}>
      <Card title={t.metadata} size="small">
        <Form
          initialValues={{ metadata: rowsOf(server.metadata) }}
          onFinish={({ metadata: rows }: { metadata: MetadataRow[] }) => metadata.mutate(rows)}
        >
          <Typography.Paragraph type="secondary">{t.metadataWhat}</Typography.Paragraph>
          <MetadataFields name="metadata" />
          <Button type="primary" htmlType="submit" loading={metadata.isPending} style={{ marginTop: 20 }}>
            {t.saveMetadata}
          </Button>
        </Form>
      </Card>
      <Card title={t.tags} size="small">
        <Form
          initialValues={{ tags: [...server.tags] }}
          onFinish={({ tags: list }: { tags: string[] }) => tags.mutate(list)}
        >
          <Typography.Paragraph type="secondary">{t.tagsWhat}</Typography.Paragraph>
          <Form.Item
            name="tags"
            rules={[
              {
                validator: (_, list: string[]) =>
                  list.every((tag) => TAG.test(tag))
                    ? Promise.resolve()
                    : Promise.reject(new Error(t.tagRule)),
              },
            ]}
          >
            <Select mode="tags" open={false} suffixIcon={null} aria-label={t.tags} tokenSeparators={[',']} />
          </Form.Item>
          <Button type="primary" htmlType="submit" loading={tags.isPending}>
            {t.saveTags}
          </Button>
        </Form>
      </Card>
    </Flex>
  );
}

/** For who may not change it, or not now. */
function Read({ server, why }: { server: Server; why: string }) {
  const t = useText(partsText);
  return (
    <Flex vertical gap={16}>
      <Alert type="info" showIcon title={why} />
      <Card title={t.metadata} size="small">
        {rowsOf(server.metadata).length === 0
          ? t.none
          : rowsOf(server.metadata).map(({ key, value }) => (
              <div key={key}>
                <Typography.Text strong>{key}</Typography.Text> {value}
              </div>
            ))}
      </Card>
      <Card title={t.tags} size="small">
        {server.tags.length === 0 ? t.none : server.tags.map((tag) => <Tag key={tag}>{tag}</Tag>)}
      </Card>
    </Flex>
  );
}

export function MetadataTab({ server }: { server: Server }) {
  const why = useWhyNot(server);
  return why === null ? <Edited server={server} /> : <Read server={server} why={why} />;
}
