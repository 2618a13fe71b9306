// What can be done to one row of a list, behind one button. What may not be done now says why.
import { EllipsisOutlined } from '@ant-design/icons';
import { Button, Dropdown, Tooltip } from 'antd';

export type RowAction = {
  key: string;
  label: string;
  run(): void;
  danger?: boolean;
  /** Why it cannot be done; absent or null: it can. */
  refusal?: string | null;
};

/** `label`: which row's menu it is, read aloud. */
export function RowMenu({ label, items }: { label: string; items: readonly RowAction[] }) {
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: items.map(({ key, label: name, danger, refusal }) => ({
          key,
          danger: danger ?? false,
          disabled: (refusal ?? null) !== null,
          label: (refusal ?? null) === null ? name : <Tooltip title={refusal}>{name}</Tooltip>,
        })),
        onClick: ({ key }) => items.find((one) => one.key === key)?.run(),
      }}
    >
      <Button type="text" size="small" icon={<EllipsisOutlined />} aria-label={label} />
    </Dropdown>
  );
}
