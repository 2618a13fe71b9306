// The WebSockets of remote consoles: `GET /console?token=...`, with subprotocol `binary` (noVNC) or none.
// Binary frames carry the console's bytes, both ways. A text frame {"columns": 80, "rows": 24} says the size of a
// shell's window; any other text frame is typed, as clients such as websocat send it. A serial line has one user: who
// opens it takes it over. A page of another origin is refused with 403; everything else is said when the WebSocket
// closes: 1000 the guest's console ended, 1001 this program stops, 1011 the host's failure, 4403 access lost, 4404 no
// such token, 4408 idle or open for too long, 4409 the guest does not run or the console was taken over, 4410 the server is gone or
// rebuilt, 4429 too many consoles.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { CloudError } from '../../../kernel/errors.ts';
import type { Sockets } from '../../../kernel/http/route.ts';
import type { Platform } from '../../../kernel/platform.ts';
import type { ComputeDeps } from '../deps.ts';
import { bridge, closeSocket } from './bridge.ts';
import { redeemToken, type OpenConsole } from './service.ts';

export const CONSOLE_PATH = '/console';

/** Consoles open at the same time, of one server and of this process. */
const MAX_OF_SERVER = 10;
const MAX_OF_ALL = 500;
/** Milliseconds between two looks at what is open. */
const CHECK_MS = 5_000;
const PING_EVERY = 6; // looks
/** Milliseconds without a byte in either direction, and from the opening on. */
const IDLE_MS = 30 * 60_000;
const MAX_MS = 12 * 3_600_000;
/** Milliseconds that a client has to answer a close frame. */
const CLOSE_MS = 1_000;
/** Bytes of one frame. */
const MAX_FRAME = 1024 * 1024;

type Session = OpenConsole & {
  socket: WebSocket;
  openedAt: number;
  activeAt: number;
  /** It answered the last ping. */
  alive: boolean;
};

const codeOf: Readonly<Record<number, number>> = { 403: 4403, 404: 4404, 409: 4409, 429: 4429 };

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

/**
 * Whether a page of this origin may open consoles: the cloud's own public URL, or the loopback address that the request
 * itself was sent to, as through a tunnel. No other site can have such an address, whatever its name resolves to.
 */
export function isOwnOrigin(origin: string, publicUrl: string, host: string | undefined): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.origin === new URL(publicUrl).origin || (url.host === host && LOOPBACK.test(url.host));
}

/** An answer before there is a WebSocket. */
function refuse(socket: Duplex, requestId: string, status: string, message: string): void {
  const body = JSON.stringify({ error: { message, request_id: requestId } });
  socket.on('error', () => {});
  socket.end(
    [
      `HTTP/1.1 ${status}`,
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-OpenStack-Request-Id: ${requestId}`,
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  );
}

export function consoleSockets(platform: Platform, deps: Pick<ComputeDeps, 'hosts' | 'stillHolds'>): Sockets {
  const { clock } = platform;
  const log = platform.log.child({ part: 'consoles' });
  const sessions = new Set<Session>();
  /** Those that have not shown a token yet, too. */
  const sockets = new Set<WebSocket>();
  let server: Promise<WebSocketServer> | null = null;
  let closing = false;
  let looks = 0;
  let cancelLook: (() => void) | null = null;

  // Read when the first console is opened.
  const webSockets = (): Promise<WebSocketServer> =>
    (server ??= import('ws').then(
      ({ WebSocketServer }) =>
        new WebSocketServer({
          noServer: true,
          clientTracking: false,
          maxPayload: MAX_FRAME,
          handleProtocols: (names) => (names.has('binary') ? 'binary' : false),
        }),
    ));

  const hangUp = (socket: WebSocket, code: number, reason: string): void => {
    closeSocket(socket, code, reason);
    const cancel = clock.timer(CLOSE_MS, () => socket.terminate());
    socket.once('close', cancel);
  };

  /** Why a console has to end; null: it may stay. */
  const overdue = (session: Session, now: number): [code: number, reason: string] | null => {
    if (session.rights !== null && !deps.stillHolds(session.rights))
      return [4403, 'who opened this console has lost the right to it'];
    if (now - session.activeAt >= IDLE_MS)
      return [4408, `nothing was typed or shown for ${IDLE_MS / 60_000} minutes`];
    if (now - session.openedAt >= MAX_MS)
      return [4408, `this console was open for ${MAX_MS / 3_600_000} hours, the longest that one may be`];
    return null;
  };

  const look = async (): Promise<void> => {
    const open = [...sessions];
    if (open.length === 0) return;
    const rows = await platform.db.read
      .selectFrom('servers')
      .select(['id', 'host_id', 'rebuild_count', 'deleting'])
      .where('id', 'in', [...new Set(open.map((session) => session.serverId))])
      .execute();
    const now = clock.now();
    looks += 1;
    for (const session of open) {
      const row = rows.find((one) => one.id === session.serverId);
      const same =
        row !== undefined &&
        row.deleting === 0 &&
        row.host_id === session.hostId &&
        row.rebuild_count === session.rebuilds;
      const end = same
        ? overdue(session, now)
        : ([4410, 'the server was deleted, moved or rebuilt'] as const);
      if (end !== null) hangUp(session.socket, end[0], end[1]);
      else if (looks % PING_EVERY === 0) {
        // While its guest takes nothing, its answers are not read either; that it is gone shows when we write.
        if (!session.alive && !session.socket.isPaused) session.socket.terminate();
        session.alive = session.socket.isPaused;
        if (session.socket.readyState === session.socket.OPEN) session.socket.ping();
      }
    }
  };
  const schedule = (): void => {
    cancelLook ??= clock.timer(CHECK_MS, () => {
      look()
        .catch((error: unknown) => log.warn({ error: String(error) }, 'open consoles were not looked at'))
        .finally(() => {
          cancelLook = null;
          if (sessions.size > 0 && !closing) schedule();
        });
    });
  };

  const connect = async (socket: WebSocket, token: string, requestId: string): Promise<void> => {
    const opened = await redeemToken(platform, deps.stillHolds, token);
    const same = [...sessions].filter((session) => session.serverId === opened.serverId);
    if (same.length >= MAX_OF_SERVER)
      throw new CloudError(
        429,
        'TooManyConsoles',
        `${MAX_OF_SERVER} consoles of this server are open, the most there may be; close one.`,
      );
    const now = clock.now();
    const session: Session = { ...opened, socket, openedAt: now, activeAt: now, alive: true };
    sessions.add(session);
    const leave = (): void => void sessions.delete(session);
    socket.once('close', leave);
    const host = deps.hosts.queries(opened.hostId);
    if (host?.openConsole === undefined)
      throw new CloudError(
        503,
        'ServiceUnavailable',
        'The host of this server is not connected; try again later.',
      );
    const guest = await host.openConsole(opened.serverId, opened.kind);
    if (socket.readyState !== socket.OPEN || closing) {
      guest.bytes.destroy();
      return;
    }
    const facts = {
      requestId,
      askedBy: opened.request_id,
      server: opened.serverId,
      user: opened.user_id,
      kind: opened.kind,
    };
    log.info(facts, 'console opened');
    socket.on('pong', () => (session.alive = true));
    socket.once('close', (code) =>
      log.info({ ...facts, code, seconds: Math.round((clock.now() - now) / 1000) }, 'console closed'),
    );
    bridge(socket, guest, {
      active: () => (session.activeAt = clock.now()),
      ended: (reason) => {
        if (reason === null) hangUp(socket, 1000, 'the console ended with its guest or shell');
        else hangUp(socket, 4409, reason);
      },
    });
    socket.resume();
    schedule();
  };

  const serve = (socket: WebSocket, token: string, requestId: string): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug({ requestId, error: String(error) }, 'console socket failed'));
    if (closing) return hangUp(socket, 1001, 'the cloud stops');
    // What is sent already waits until there is somebody who takes it.
    socket.pause();
    connect(socket, token, requestId).catch((error: unknown) => {
      socket.resume();
      if (!(error instanceof CloudError))
        log.error(
          { requestId, cause: error instanceof Error ? error.stack : String(error) },
          'console failed',
        );
      const reason =
        error instanceof CloudError ? error.publicMessage : `an error of the cloud (${requestId})`;
      hangUp(socket, error instanceof CloudError ? (codeOf[error.status] ?? 1011) : 1011, reason);
    });
  };

  return {
    path: CONSOLE_PATH,
    accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      const requestId = `req-${randomUUID()}`;
      const { origin, host } = request.headers;
      // Who sends none is no browser.
      if (origin !== undefined && !isOwnOrigin(origin, platform.publicUrl, host))
        return refuse(
          socket,
          requestId,
          '403 Forbidden',
          `Consoles are opened by pages of ${platform.publicUrl} only.`,
        );
      if (sockets.size >= MAX_OF_ALL)
        return refuse(
          socket,
          requestId,
          '503 Service Unavailable',
          `${MAX_OF_ALL} consoles are open already.`,
        );
      const token = new URL(request.url ?? '', platform.publicUrl).searchParams.get('token') ?? '';
      webSockets().then(
        (accepting) =>
          accepting.handleUpgrade(request, socket, head, (accepted) => serve(accepted, token, requestId)),
        (error: unknown) => {
          log.error({ requestId, error: String(error) }, 'consoles cannot be served');
          refuse(socket, requestId, '500 Internal Server Error', 'Consoles cannot be served.');
        },
      );
    },
    async close(): Promise<void> {
      closing = true;
      cancelLook?.();
      await Promise.all(
        [...sockets].map(
          (socket) =>
            new Promise<void>((closed) => {
              socket.once('close', () => closed());
              hangUp(socket, 1001, 'the cloud stops');
            }),
        ),
      );
    },
  };
}
