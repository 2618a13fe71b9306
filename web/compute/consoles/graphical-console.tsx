// The screen of a VM, by noVNC.
import type RFB from '@novnc/novnc';
import { Button } from 'antd';
import { useCallback, useMemo, useRef, type RefObject } from 'react';
import { useText } from '../../kit/language.tsx';
import { openConsole } from './api.ts';
import { ConsoleFrame } from './frame.tsx';
import { consolesText } from './text.ts';
import { useConnection, type Attach } from './use-connection.ts';

/** `shown`: the screen while there is one. */
const screenLoader = (shown: RefObject<RFB | null>) => async (): Promise<Attach> => {
  const { default: Screen } = await import('@novnc/novnc');
  return (place, socket) => {
    const screen = new Screen(place, socket, { shared: true });
    screen.scaleViewport = true;
    screen.background = 'transparent';
    screen.focusOnClick = true;
    screen.addEventListener('connect', () => screen.focus());
    shown.current = screen;
    return () => {
      shown.current = null;
      screen.disconnect();
      place.replaceChildren();
    };
  };
};

/** A screen behind any address; `final` as in ConsoleFrame. */
export function Screen({
  address,
  ownWindow,
  final,
}: {
  address(): Promise<string>;
  ownWindow?: string;
  final?: string;
}) {
  const t = useText(consolesText);
  const screen = useRef<RFB>(null);
  const load = useMemo(() => screenLoader(screen), []);
  const connection = useConnection(address, load);
  return (
    <ConsoleFrame
      connection={connection}
      name={t.screen}
      tools={<Button onClick={() => screen.current?.sendCtrlAltDel()}>{t.ctrlAltDel}</Button>}
      {...(ownWindow === undefined ? {} : { window: ownWindow })}
      {...(final === undefined ? {} : { final })}
    />
  );
}

export function GraphicalConsole({ serverId, alone = false }: { serverId: string; alone?: boolean }) {
  const address = useCallback(() => openConsole(serverId, 'novnc'), [serverId]);
  return (
    <Screen address={address} {...(alone ? {} : { ownWindow: `/servers/${serverId}/console?kind=novnc` })} />
  );
}
