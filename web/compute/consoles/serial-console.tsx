// A terminal in the page: the serial line of a VM, or a shell in a container.
import type * as Fit from '@xterm/addon-fit';
import type * as Xterm from '@xterm/xterm';
import { useCallback } from 'react';
import { useText } from '../../kit/language.tsx';
import { openConsole } from './api.ts';
import { ConsoleFrame } from './frame.tsx';
import { consolesText } from './text.ts';
import { useConnection, type Attach } from './use-connection.ts';
import '@xterm/xterm/css/xterm.css';

const THEME = { background: '#14171c', foreground: '#d8dee6', cursor: '#d8dee6' };
/** Bytes of a frame: what is pasted may be longer than the cloud takes at once. */
const PIECE = 64 * 1024;
const FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

const loadTerminal = async (): Promise<Attach> => {
  const [xterm, fitting] = await Promise.all([import('@xterm/xterm'), import('@xterm/addon-fit')]);
  return (place, socket) => showTerminal(xterm, fitting, place, socket);
};

function showTerminal(
  { Terminal }: typeof Xterm,
  { FitAddon }: typeof Fit,
  place: HTMLElement,
  socket: WebSocket,
): () => void {
  const terminal = new Terminal({
    theme: THEME,
    fontFamily: FONT,
    fontSize: 14,
    cursorBlink: true,
    scrollback: 5_000,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) =>
    terminal.write(new Uint8Array(data)),
  );

  const send = (data: string | Uint8Array<ArrayBuffer>): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(data);
  };
  const encoder = new TextEncoder();
  terminal.onData((text) => {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length; at += PIECE) send(bytes.subarray(at, at + PIECE));
  });
  terminal.onBinary((text) => send(Uint8Array.from(text, (one) => one.charCodeAt(0))));
  const sayWindow = (): void => send(JSON.stringify({ columns: terminal.cols, rows: terminal.rows }));
  terminal.onResize(sayWindow);
  socket.addEventListener('open', sayWindow);
  socket.addEventListener('close', () => {
    terminal.options.cursorBlink = false;
    terminal.options.disableStdin = true;
  });
  fit.fit();
  const watch = new ResizeObserver(() => fit.fit());
  watch.observe(place);
  terminal.focus();
  return () => {
    watch.disconnect();
    terminal.dispose();
  };
}

/** The place of `kind` 'serial' is a VM, that of 'shell' a container. */
export function SerialConsole({
  serverId,
  kind,
  alone = false,
}: {
  serverId: string;
  kind: 'serial' | 'shell';
  /** It has a window of its own already. */
  alone?: boolean;
}) {
  const t = useText(consolesText);
  const address = useCallback(() => openConsole(serverId, kind), [serverId, kind]);
  const connection = useConnection(address, loadTerminal);
  return (
    <ConsoleFrame
      connection={connection}
      name={t.terminal}
      {...(kind === 'serial' ? { hint: t.pressEnter } : {})}
      {...(alone ? {} : { window: `/servers/${serverId}/console?kind=${kind}` })}
    />
  );
}
