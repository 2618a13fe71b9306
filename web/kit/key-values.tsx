// Names with values in a form: metadata, properties, extra specs.
import { MinusCircleOutlined, PlusOutlined } from '@ant-design/icons';
import { AutoComplete, Button, Flex, Form, Input, Typography } from 'antd';
import { useText } from './language.tsx';
import { kitText } from './text.ts';

export type KeyValue = { key: string; value: string };

export const keyValuesOf = (map: Readonly<Record<string, string>>): KeyValue[] =>
  Object.entries(map).map(([key, value]) => ({ key, value }));

/** Of two with the same name the later counts. */
export const mapOf = (list: readonly KeyValue[]): Record<string, string> =>
  Object.fromEntries(list.map(({ key, value }) => [key, value]));

type Props = {
  /** The field of the form, which holds a list of KeyValue. */
  name: string;
  label: string;
  /** What a name may be, and how that is said. */
  pattern?: RegExp;
  rule?: string;
  /** Names that are offered while one is typed. */
  known?: readonly string[];
};

export function KeyValues({ name: field, label, pattern = /^.{1,255}$/, rule, known = [] }: Props) {
  const t = useText(kitText);
  return (
    <Form.List name={field}>
      {(fields, { add, remove }) => (
        <Flex vertical gap={8} role="group" aria-label={label}>
          <Typography.Text>{label}</Typography.Text>
          {fields.map(({ key, name }) => (
            <Flex key={key} gap={8} align="start">
              <Form.Item
                name={[name, 'key']}
                rules={[{ required: true, pattern, message: rule ?? t.required }]}
                style={{ flex: 1, marginBottom: 0 }}
              >
                <AutoComplete
                  options={known.map((value) => ({ value }))}
                  showSearch={{ filterOption: true }}
                  aria-label={t.name}
                  placeholder={t.name}
                />
              </Form.Item>
              <Form.Item name={[name, 'value']} style={{ flex: 1, marginBottom: 0 }}>
                <Input aria-label={t.value} placeholder={t.value} />
              </Form.Item>
              <Button
                type="text"
                icon={<MinusCircleOutlined aria-hidden />}
                aria-label={t.removeEntry}
                title={t.removeEntry}
                onClick={() => remove(name)}
              />
            </Flex>
          ))}
          <Button
            type="dashed"
            icon={<PlusOutlined aria-hidden />}
            onClick={() => add({ key: '', value: '' })}
          >
            {t.addEntry}
          </Button>
        </Flex>
      )}
    </Form.List>
  );
}
