// The frame of every console: how the connection stands, why it ended, and what can be done.
import {
  ExportOutlined,
  FullscreenExitOutlined,
  FullscreenOutlined,
  ReloadOutlined,
} from '@ant-design/icons';
import { Alert, Button, Flex, Tag, Tooltip } from 'antd';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { useText } from '../../kit/language.tsx';
import { Problem } from '../../kit/problem.tsx';
import type { EndReason } from './connection.ts';
import { consolesText } from './text.ts';
import type { Connection } from './use-connection.ts';
import './consoles.css';

const colours = { connecting: 'processing', open: 'success', ended: 'default', refused: 'error' } as const;

/** Of these the server says more than the reason: who, how long, what failed. */
const own: ReadonlySet<EndReason> = new Set(['taken', 'failed', 'idle', 'many']);

function State({ connection: { state } }: { connection: Connection }) {
  const t = useText(consolesText);
  const name = state.at === 'connecting' ? t.connecting : state.at === 'open' ? t.connected : t.ended;
  return (
    <Tag color={colours[state.at]} variant="filled" style={{ color: 'var(--ant-color-text)' }} role="status">
      {name}
    </Tag>
  );
}

/** The element fills the screen or not; what is inside follows its size. */
export function useFullScreen() {
  const whole = useRef<HTMLDivElement>(null);
  const [full, setFull] = useState(false);
  useEffect(() => {
    const changed = (): void => setFull(document.fullscreenElement === whole.current);
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
  }, []);
  const toggle = (): void =>
    void (full ? document.exitFullscreen() : (whole.current?.requestFullscreen() ?? Promise.resolve())).catch(
      () => {}, // a browser may refuse, and says so itself
    );
  return { whole, full, toggle };
}

export function FullScreenButton({ full, toggle }: { full: boolean; toggle(): void }) {
  const t = useText(consolesText);
  const name = full ? t.leaveFullScreen : t.fullScreen;
  return (
    <Tooltip title={name}>
      <Button
        aria-label={name}
        icon={full ? <FullscreenExitOutlined /> : <FullscreenOutlined />}
        onClick={toggle}
      />
    </Tooltip>
  );
}

export function ConsoleFrame({
  connection,
  name,
  hint,
  tools,
  window: ownWindow,
  final,
}: {
  connection: Connection;
  /** What a screen reader calls the place of the console. */
  name: string;
  /** Shown as long as the connection is open. */
  hint?: string;
  tools?: ReactNode;
  /** Address of a page that shows this console alone; absent: this is the one. */
  window?: string;
  /** Said in place of the button that connects again: it cannot be. */
  final?: string;
}) {
  const t = useText(consolesText);
  const { state, place, again } = connection;
  const { whole, full, toggle } = useFullScreen();
  return (
    <div className="console" ref={whole}>
      <Flex gap={8} align="center" wrap className="console-tools">
        <State connection={connection} />
        <span className="console-hint">{state.at === 'open' ? hint : null}</span>
        {state.at === 'ended' && final === undefined ? (
          <Button type="primary" icon={<ReloadOutlined />} onClick={again}>
            {state.reason === 'taken' ? t.takeOver : t.connect}
          </Button>
        ) : null}
        {state.at === 'open' ? tools : null}
        {ownWindow === undefined ? null : (
          <Tooltip title={t.ownWindow}>
            <Button
              aria-label={t.ownWindow}
              icon={<ExportOutlined />}
              href={ownWindow}
              target="_blank"
              rel="opener"
            />
          </Tooltip>
        )}
        <FullScreenButton full={full} toggle={toggle} />
      </Flex>
      {state.at === 'ended' ? (
        <Alert
          type={state.reason === 'ended' ? 'info' : 'warning'}
          showIcon
          title={t.ends[state.reason]}
          description={
            [own.has(state.reason) ? state.said : '', final].filter(Boolean).join(' · ') || undefined
          }
        />
      ) : null}
      {state.at === 'refused' ? (
        <Problem error={state.error} {...(final === undefined ? { retry: again } : {})} />
      ) : null}
      <div
        className="console-place"
        ref={place}
        hidden={state.at === 'refused'}
        role="group"
        aria-label={name}
      />
    </div>
  );
}
