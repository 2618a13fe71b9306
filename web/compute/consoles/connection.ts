// What can be said of a console's connection without one: its address, how long the log is asked for, and why it ended.

export type ConsoleType = 'novnc' | 'serial' | 'shell';

/** As the API wants it beside the type. */
export const protocolOf = (type: ConsoleType): string => (type === 'novnc' ? 'vnc' : 'serial');

/**
 * The WebSocket of what the API answered as the address of a console, on the origin that this page came from: behind a
 * gateway, the cloud knows itself by another name, which the page may not speak to. null: it is no such address.
 */
export function socketAddress(url: string, origin: string): string | null {
  const { pathname, search, searchParams } = new URL(url, origin);
  // The address of a page says the path of the socket, as noVNC has it.
  const path = searchParams.get('path') ?? `${pathname}${search}`;
  if (!/^\/?console\?token=[\w-]+$/.test(path)) return null;
  return `${origin.replace(/^http/, 'ws')}/${path.replace(/^\//, '')}`;
}

export type EndReason =
  | 'ended'
  | 'stopping'
  | 'lost'
  /** There never was one. */
  | 'unmade'
  | 'forbidden'
  | 'token'
  | 'idle'
  | 'taken'
  | 'gone'
  | 'many'
  | 'failed';

const reasons: Readonly<Record<number, EndReason>> = {
  1000: 'ended',
  1001: 'stopping',
  1005: 'ended',
  1011: 'failed',
  4403: 'forbidden',
  4404: 'token',
  4408: 'idle',
  4409: 'taken',
  4410: 'gone',
  4429: 'many',
};

/** What the code of a close frame means; the codes are those of the cloud's console proxy. */
export const endReason = (code: number): EndReason => reasons[code] ?? 'lost';

// Colours, cursor movements, titles (ECMA-48, 5.4 and 8.3), and what no text has.
const CONTROL =
  // eslint-disable-next-line no-control-regex
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** A log as it is read: without what only a terminal understands. */
export const plainLog = (log: string): string => log.replace(/\r+\n/g, '\n').replace(CONTROL, '');
