// Small parts that the pages of the network service share.
import { Switch, Typography } from 'antd';
import { useText } from '../kit/language.tsx';
import { StateTag, toneInk } from '../kit/state.tsx';
import { networkText } from './text.ts';

export function NetworkState({ status }: { status: string }) {
  const { states } = useText(networkText);
  return <StateTag state={status}>{states[status as keyof typeof states] ?? status}</StateTag>;
}

export function YesNo({ value }: { value: boolean }) {
  const t = useText(networkText);
  return value ? t.yes : t.no;
}

/** Whether the owner wants it to carry traffic. */
export function AdminState({ up }: { up: boolean }) {
  const t = useText(networkText);
  return up ? t.up : <span style={{ color: toneInk.warning }}>{t.down}</span>;
}

/** A switch with its meaning beside it; the form sets `checked`. */
export function LabelledSwitch({
  label,
  hint,
  ...input
}: {
  label: string;
  hint?: string;
  id?: string;
  checked?: boolean;
  onChange?(to: boolean): void;
  disabled?: boolean;
}) {
  return (
    <label style={{ display: 'flex', gap: 10, alignItems: 'flex-start' }}>
      <Switch size="small" style={{ marginTop: 2 }} {...input} />
      <span>
        {label}
        {hint === undefined ? null : (
          <Typography.Text type="secondary" style={{ display: 'block', fontSize: 12 }}>
            {hint}
          </Typography.Text>
        )}
      </span>
    </label>
  );
}
