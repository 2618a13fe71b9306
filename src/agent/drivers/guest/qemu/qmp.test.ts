// The QMP client against a server that answers late, in pieces, with garbage, or not at all.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import { connectQmp, type Qmp, type QmpEvent } from './qmp.ts';

const greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

describe('the QMP client', () => {
  let dir: string;
  let server: Server | null;
  let opened: Qmp[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'qmp-'));
    server = null;
    opened = [];
  });
  afterEach(async () => {
    for (const qmp of opened) qmp.close();
    await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
    rmSync(dir, { recursive: true, force: true });
  });

  /** A peer that greets, accepts capabilities and hands every later line to `answer`. */
  const peer = async (answer: (line: string, socket: Socket) => void, first = greeting): Promise<string> => {
    const path = join(dir, `${Math.random()}.sock`);
    server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(first);
      let rest = '';
      socket.on('data', (chunk) => {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const { id, execute } = JSON.parse(line) as { id: number; execute: string };
          if (execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\r\n`);
          else answer(line, socket);
        }
      });
    });
    await new Promise<void>((resolve) => server?.listen(path, resolve));
    return path;
  };
  const open = async (path: string, more: { onEvent?: (e: QmpEvent) => void; onClose?: () => void } = {}) => {
    const qmp = await connectQmp(path, { clock: systemClock, ...more });
    opened.push(qmp);
    return qmp;
  };
  const idOf = (line: string): number => (JSON.parse(line) as { id: number }).id;
  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => null,
      (error: unknown) => error,
    );

  test('matches answers to commands even when they come out of order', async () => {
    const lines: string[] = [];
    const qmp = await open(
      await peer((line, socket) => {
        lines.push(line);
        if (lines.length === 2)
          for (const l of lines.toReversed()) socket.write(`{"return": ${idOf(l)}, "id": ${idOf(l)}}\n`);
      }),
    );
    const [a, b] = await Promise.all([qmp.execute('a'), qmp.execute('b')]);
    expect(b).toBe((a as number) + 1);
  });

  test('puts messages together whatever the frames they arrive in', async () => {
    const texts = ['plain', 'schön 漢字 🙂', 'line\\nbreak'];
    const stream = Buffer.from(texts.map((t) => `{"event":"E","data":{"t":"${t}"}}\r\n`).join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 12 }),
        async (cuts) => {
          const path = await peer(async (line, socket) => {
            const edges = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
            for (let i = 1; i < edges.length; i += 1) {
              socket.write(stream.subarray(edges[i - 1], edges[i]));
              await new Promise((resolve) => setImmediate(resolve));
            }
            socket.write(`{"return": {}, "id": ${idOf(line)}}\n`);
          });
          const heard: unknown[] = [];
          const qmp = await open(path, { onEvent: (event) => heard.push(event.data['t']) });
          await qmp.execute('go');
          qmp.close();
          await new Promise<void>((resolve) => server?.close(() => resolve()));
          expect(heard).toEqual(['plain', 'schön 漢字 🙂', 'line\nbreak']);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('never throws anything but a DriverError, whatever the peer sends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.constantFrom('{}', '[]', 'null', '{"return":1}', '{"error":null,"id":2}'),
        ),
        async (garbage) => {
          const path = await peer((_line, socket) => socket.end(`${garbage}\n`));
          const qmp = await open(path);
          const outcome = await failure(qmp.execute('go', {}, 500));
          if (outcome !== null) expect(outcome).toBeInstanceOf(DriverError);
          qmp.close();
          await new Promise<void>((resolve) => server?.close(() => resolve()));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('an abrupt end fails what is under way, ends waiters and is reported once', async () => {
    let closes = 0;
    const qmp = await open(await peer((_line, socket) => socket.destroy()), { onClose: () => (closes += 1) });
    const waiting = qmp.waitFor(() => true, 10_000);
    expect(await failure(qmp.execute('go'))).toMatchObject({ code: 'failed' });
    expect(await waiting).toBeNull();
    expect(await failure(qmp.execute('again'))).toBeInstanceOf(DriverError);
    expect(qmp.closed).toBe(true);
    expect(closes).toBe(1);
  });

  test('closing it by ourselves is not reported as the death of the guest', async () => {
    let closes = 0;
    const qmp = await open(await peer(() => {}), { onClose: () => (closes += 1) });
    qmp.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closes).toBe(0);
  });

  test('a command without an answer runs into its time limit, and the late answer is ignored', async () => {
    const qmp = await open(
      await peer((line, socket) => {
        if (line.includes('slow')) setTimeout(() => socket.write(`{"return": 1, "id": ${idOf(line)}}\n`), 60);
        else socket.write(`{"return": 2, "id": ${idOf(line)}}\n`);
      }),
    );
    expect(await failure(qmp.execute('slow', {}, 20))).toMatchObject({ code: 'timeout' });
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(await qmp.execute('fast')).toBe(2);
  });

  test("a refusal carries QEMU's own words in the detail only", async () => {
    const qmp = await open(
      await peer((line, socket) =>
        socket.write(`{"error": {"class": "GenericError", "desc": "/secret/path"}, "id": ${idOf(line)}}\n`),
      ),
    );
    const error = (await failure(qmp.execute('x'))) as DriverError;
    expect(error.detail).toContain('/secret/path');
    expect(error.message).not.toContain('/secret/path');
  });

  test('waits for a socket that appears later, and gives up at the deadline', async () => {
    const path = join(dir, 'late.sock');
    expect(await failure(connectQmp(path, { clock: systemClock, connectMs: 30 }))).toMatchObject({
      code: 'failed',
    });
    setTimeout(() => {
      server = createServer((socket) => {
        socket.write(greeting);
        socket.on('data', () => socket.write('{"return": {}, "id": 1}\n'));
      }).listen(path);
    }, 30);
    const qmp = await connectQmp(path, { clock: systemClock, connectMs: 3000 });
    qmp.close();
  });
});
