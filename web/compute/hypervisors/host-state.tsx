// Whether a host is heard of, and whether new servers go there.
import { Tooltip } from 'antd';
import { useText } from '../../kit/language.tsx';
import { StateTag } from '../../kit/state.tsx';
import type { Host } from './api.ts';
import { hostText } from './text.ts';

export function HostState({ host }: { host: Host }) {
  const t = useText(hostText);
  return host.state === 'up' ? (
    <StateTag state="up">{t.up}</StateTag>
  ) : (
    <Tooltip title={t.downHint}>
      <span>
        <StateTag state="error">{t.down}</StateTag>
      </span>
    </Tooltip>
  );
}

export function Scheduling({ host }: { host: Host }) {
  const t = useText(hostText);
  return <StateTag state={host.status}>{host.status === 'enabled' ? t.enabled : t.disabled}</StateTag>;
}
