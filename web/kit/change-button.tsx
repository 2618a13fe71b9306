// Buttons that change something. Who may only read sees them, and why they cannot be pressed.
import { Flex, type ButtonProps } from 'antd';
import type { ReactNode } from 'react';
import { ActionButton } from './action-button.tsx';
import { useText } from './language.tsx';
import { isReader, useSession } from './session.ts';
import { kitText } from './text.ts';

type Props = ButtonProps & {
  /** Why it cannot be pressed now; absent or null: it can. */
  why?: string | null;
};

/** null: the user may change things. */
export function useWhyNot(): string | null {
  const t = useText(kitText);
  return isReader(useSession()) ? t.readerOnly : null;
}

export function ChangeButton({ why, ...props }: Props) {
  const reader = useWhyNot();
  return <ActionButton {...props} why={reader ?? why ?? null} />;
}

export type RowAction = {
  key: string;
  /** e.g. 'Delete' */
  label: string;
  icon: ReactNode;
  danger?: boolean;
  /** Why it cannot be done to this row. */
  why?: string | null;
  run(): void;
};

/** The icons at the end of a row; `of` is what the row is called. */
export function RowActions({ of, actions }: { of: string; actions: readonly RowAction[] }) {
  return (
    <Flex gap={2} justify="end">
      {actions.map(({ key, label, icon, danger, why, run }) => (
        <ChangeButton
          key={key}
          type="text"
          size="small"
          icon={icon}
          danger={danger === true}
          why={why ?? null}
          title={label}
          aria-label={`${label}: ${of}`}
          onClick={run}
        />
      ))}
    </Flex>
  );
}
