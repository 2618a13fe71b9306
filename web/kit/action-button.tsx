// A button, or a menu of them, that says why it cannot be used instead of hiding it.
import { MoreOutlined } from '@ant-design/icons';
import { Button, Dropdown, Tooltip, type ButtonProps } from 'antd';
import type { ReactNode } from 'react';

/** What stands in the way, in words; null: nothing. */
export type Why = string | null;

/** `title` is said of the button while it can be used. */
export function ActionButton({ why, title, ...button }: ButtonProps & { why: Why }) {
  return (
    <Tooltip title={why ?? title}>
      <Button {...button} disabled={why !== null || button.disabled === true} />
    </Tooltip>
  );
}

export type MenuAction = {
  key: string;
  label: string;
  icon?: ReactNode;
  danger?: boolean;
  why?: Why;
  run(): void;
};

/** `null` is a line between groups. */
export type MenuItems = readonly (MenuAction | null)[];

/** What can be done to one resource; `label` says to which, for who cannot see the row. */
export function ActionMenu({
  label,
  items,
  children,
}: {
  label: string;
  items: MenuItems;
  children?: ReactNode;
}) {
  const actions = items.filter((item) => item !== null);
  return (
    <Dropdown
      trigger={['click']}
      placement="bottomRight"
      menu={{
        items: items.map((item, at) =>
          item === null
            ? { type: 'divider' as const, key: `line-${at}` }
            : {
                key: item.key,
                label: item.label,
                title: item.why ?? '',
                disabled: (item.why ?? null) !== null,
                danger: item.danger ?? false,
                icon: item.icon,
              },
        ),
        onClick: ({ key, domEvent }) => {
          domEvent.stopPropagation();
          actions.find((item) => item.key === key)?.run();
        },
      }}
    >
      {children === undefined ? (
        <Button type="text" icon={<MoreOutlined aria-hidden />} aria-label={label} title={label} />
      ) : (
        <Button aria-label={label}>{children}</Button>
      )}
    </Dropdown>
  );
}
