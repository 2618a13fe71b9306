// A QMP client (QEMU Machine Protocol: JSON lines over a unix socket). Our own, because the npm packages
// for it are abandoned; it must survive garbage, split frames and a peer that dies in mid-sentence.
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { type Clock, sleep } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';

export type QmpEvent = { event: string; data: Record<string, unknown> };

export type Qmp = {
  /** Throws DriverError: 'failed' when QEMU refuses or the connection ends, 'timeout' when it does not answer. */
  execute(command: string, args?: Record<string, unknown>, timeoutMs?: number): Promise<unknown>;
  /** Resolves with the first event that matches, or null when the time is over or the connection ends. */
  waitFor(
    matches: (event: QmpEvent) => boolean,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<QmpEvent | null>;
  readonly closed: boolean;
  close(): void;
};

export type QmpOptions = {
  clock: Clock;
  onEvent?: (event: QmpEvent) => void;
  /** Called once, however the connection ends: for a guest's monitor that means the guest is gone. */
  onClose?: () => void;
  /** How long to keep trying while the socket is not there yet; 0: one attempt. */
  connectMs?: number;
  /** Ends the attempts early. */
  abort?: () => boolean;
};

const commandTimeoutMs = 10_000;
const greetingTimeoutMs = 5_000;
/** Longest accepted line; real answers stay below a few hundred KiB. */
const maxLine = 16 * 1024 * 1024;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Connects and negotiates. Throws DriverError. */
export async function connectQmp(path: string, options: QmpOptions): Promise<Qmp> {
  const deadline = options.clock.now() + (options.connectMs ?? 0);
  for (;;) {
    try {
      const socket = await open(path);
      return await negotiate(socket, options);
    } catch (cause) {
      const last = options.clock.now() >= deadline || options.abort?.() === true;
      if (last) {
        if (cause instanceof DriverError) throw cause;
        throw new DriverError(
          'failed',
          'the monitor of the guest cannot be reached',
          `${path}: ${String(cause)}`,
          cause,
        );
      }
      await sleep(options.clock, 5);
    }
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

async function negotiate(socket: Socket, options: QmpOptions): Promise<Qmp> {
  type Pending = {
    resolve: (value: unknown) => void;
    reject: (error: DriverError) => void;
    cancel: () => void;
  };
  const pending = new Map<number, Pending>();
  const waiters = new Set<(event: QmpEvent | null) => void>();
  let nextId = 1;
  let closed = false;
  let greeted: ((error: DriverError | null) => void) | null = null;
  let ready = false;

  const end = (why: string): void => {
    if (closed) return;
    closed = true;
    socket.destroy();
    const error = new DriverError('failed', 'the connection to the guest ended', why);
    for (const { reject, cancel } of pending.values()) {
      cancel();
      reject(error);
    }
    pending.clear();
    for (const waiter of [...waiters]) waiter(null);
    greeted?.(error);
    if (ready) options.onClose?.();
  };

  const receive = (line: string): void => {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      return end(`not JSON: ${line.slice(0, 200)}`);
    }
    if (!isRecord(message)) return end(`not a QMP message: ${line.slice(0, 200)}`);
    if ('QMP' in message) {
      greeted?.(null);
    } else if (typeof message['event'] === 'string') {
      const event = { event: message['event'], data: isRecord(message['data']) ? message['data'] : {} };
      for (const waiter of [...waiters]) waiter(event);
      options.onEvent?.(event);
    } else if (typeof message['id'] === 'number') {
      const waiting = pending.get(message['id']);
      if (waiting === undefined) return; // an answer that came after its time limit
      pending.delete(message['id']);
      waiting.cancel();
      if ('return' in message) return waiting.resolve(message['return']);
      const error = isRecord(message['error']) ? message['error'] : {};
      waiting.reject(
        new DriverError(
          'failed',
          'the hypervisor refused the operation',
          `${error['class']}: ${error['desc']}`,
        ),
      );
    }
  };

  const decoder = new StringDecoder('utf8');
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    rest += decoder.write(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '' && !closed) receive(line);
    if (rest.length > maxLine) end('a line without end');
  });
  socket.on('error', (error) => end(String(error)));
  socket.on('close', () => end('closed by the other side'));
  socket.unref();

  const execute: Qmp['execute'] = (command, args, timeoutMs = commandTimeoutMs) =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new DriverError('failed', 'the connection to the guest ended', command));
      const id = nextId;
      nextId += 1;
      const cancel = options.clock.timer(timeoutMs, () => {
        pending.delete(id);
        reject(
          new DriverError('timeout', `the guest's hypervisor did not answer within ${timeoutMs} ms`, command),
        );
      });
      pending.set(id, { resolve, reject, cancel });
      socket.write(
        `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\n`,
      );
    });

  const waitFor: Qmp['waitFor'] = (matches, timeoutMs, signal) =>
    new Promise((resolve) => {
      if (closed || signal?.aborted) return resolve(null);
      const finish = (event: QmpEvent | null): void => {
        if (event !== null && !matches(event)) return;
        waiters.delete(finish);
        cancel();
        signal?.removeEventListener('abort', aborted);
        resolve(event);
      };
      const aborted = (): void => finish(null);
      const cancel = options.clock.timer(timeoutMs, () => finish(null));
      signal?.addEventListener('abort', aborted, { once: true });
      waiters.add(finish);
    });

  const greetingTimer = new Promise<DriverError | null>((resolve) => {
    const cancel = options.clock.timer(Math.max(greetingTimeoutMs, options.connectMs ?? 0), () =>
      resolve(new DriverError('timeout', 'the monitor of the guest did not greet', 'no QMP greeting')),
    );
    greeted = (error) => {
      cancel();
      greeted = null;
      resolve(error);
    };
  });
  const failed = await greetingTimer;
  try {
    if (failed !== null) throw failed;
    await execute('qmp_capabilities');
  } catch (error) {
    end('no greeting');
    throw error;
  }
  ready = true;
  return {
    execute,
    waitFor,
    get closed() {
      return closed;
    },
    close: () => {
      ready = false; // closing by ourselves is no news about the guest
      end('closed by us');
    },
  };
}
