// A button that says why it cannot be pressed.
import { Button, Tooltip, type ButtonProps } from 'antd';

/** `why`: null, it can be pressed. */
export function GuardedButton({ why, ...props }: ButtonProps & { why: string | null }) {
  if (why === null) return <Button {...props} />;
  return (
    <Tooltip title={why}>
      <span>
        <Button {...props} disabled />
      </span>
    </Tooltip>
  );
}
