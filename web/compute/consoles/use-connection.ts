// One connection of a console at a time: asked for, opened, ended with a reason, and made anew when its user wants.
import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';
import { endReason, type EndReason } from './connection.ts';

export type ConnectionState =
  | { at: 'connecting' }
  | { at: 'open' }
  /** `said`: the server's own words. */
  | { at: 'ended'; reason: EndReason; said: string }
  | { at: 'refused'; error: unknown };

/** Shows a socket that is being opened in an element; returns what takes it away again. */
export type Attach = (place: HTMLElement, socket: WebSocket) => () => void;

export type Connection = {
  state: ConnectionState;
  /** Where the console is shown. */
  place: RefObject<HTMLDivElement | null>;
  again(): void;
};

/**
 * `address` asks for a console, `load` brings what shows it; both have to stay the same as long as the console does
 * (useCallback).
 */
export function useConnection(address: () => Promise<string>, load: () => Promise<Attach>): Connection {
  const [state, setState] = useState<ConnectionState>({ at: 'connecting' });
  const [attempt, setAttempt] = useState(0);
  const place = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let over = false;
    let leave = (): void => {};
    const connect = async (): Promise<void> => {
      const attach = await load();
      const url = await address();
      const element = place.current;
      if (over || element === null) return;
      const socket = new WebSocket(url, 'binary');
      socket.binaryType = 'arraybuffer';
      let opened = false;
      socket.addEventListener('open', () => {
        opened = true;
        if (!over) setState({ at: 'open' });
      });
      socket.addEventListener('close', ({ code, reason }) => {
        if (!over) setState({ at: 'ended', reason: opened ? endReason(code) : 'unmade', said: reason });
      });
      const detach = attach(element, socket);
      leave = () => {
        detach();
        socket.close();
      };
    };
    setState({ at: 'connecting' });
    connect().catch((error: unknown) => {
      if (!over) setState({ at: 'refused', error });
    });
    return () => {
      over = true;
      leave();
    };
  }, [address, load, attempt]);

  return { state, place, again: useCallback(() => setAttempt((count) => count + 1), []) };
}
