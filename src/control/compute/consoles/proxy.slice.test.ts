// The WebSockets of consoles over a real socket: tokens that open one, origins, bytes both ways, and every way in
// which a console ends. Security case 17 (CVE-2013-0335, CVE-2015-0259, CVE-2015-9543) is among them.
import { get } from 'node:http';
import { Duplex, PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOST_ERROR } from '../../../protocol/link.ts';
import { onBothEngines } from '../../../testkit/database.ts';
import { eventually } from '../fakes.ts';
import { isOwnOrigin } from './proxy.ts';
import { redeemToken } from './service.ts';
import { consoleCloud, type ConsoleCloud } from '../../../testkit/console-cloud.ts';

/** An error whose message a host means for users. */
const hostSays = (message: string): Error => Object.assign(new Error(message), { name: HOST_ERROR });

onBothEngines('the WebSockets of consoles', (engine) => {
  let cloud: ConsoleCloud;
  beforeEach(async () => {
    cloud = await consoleCloud(engine);
  });
  afterEach(() => cloud.close());

  const opened = async (id: string, options?: { origin?: string; protocols?: string[] }) => {
    const one = cloud.connect(await cloud.tokenFor(id), options);
    await one.opened;
    one.socket.send('hello');
    expect(await one.says('hello')).toContain('hello');
    return one;
  };

  test('bytes go both ways, with the subprotocol of noVNC and without', async () => {
    const id = await cloud.create('tiny');
    for (const protocols of [[], ['binary'], ['base64', 'binary']]) {
      const one = await opened(id, { protocols });
      expect(one.socket.protocol).toBe(protocols.length === 0 ? '' : 'binary');
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
      one.socket.send(bytes);
      expect(await one.says(bytes.toString('latin1'))).toContain(bytes.toString('latin1'));
      one.socket.close();
    }
  });

  test('a text frame with columns and rows is the size of the window, any other is typed', async () => {
    const id = await cloud.create('tiny');
    const one = await opened(id);
    one.socket.send('{"columns":132,"rows":43}');
    expect(await one.says('[132x43]')).toBe('hello[132x43]');
    for (const typed of ['{"columns":0,"rows":43}', '{"columns":1', '{}', '{"columns":1,"rows":1,"x":1}']) {
      one.socket.send(typed);
      expect(await one.says(typed)).toContain(typed);
    }
    one.socket.send(Buffer.from('{"columns":80,"rows":24}'));
    expect(await one.says('{"columns":80,"rows":24}')).not.toContain('[80x24]');
  });

  test('a token opens one console, and none when it has expired or was never given', async () => {
    const id = await cloud.create('tiny');
    const token = await cloud.tokenFor(id);
    const late = await cloud.tokenFor(id);
    const both = [cloud.connect(token), cloud.connect(token)];
    const first = await Promise.race(both.map(({ closed }) => closed));
    expect(first).toEqual({ code: 4404, reason: expect.stringContaining('not valid') });
    cloud.pass(120_000);
    for (const bad of [token, late, '', 'A'.repeat(43), '%00', 'x'.repeat(5_000)])
      expect((await cloud.connect(bad).closed).code).toBe(4404);
  });

  test('a page of another origin is refused before its token is looked at', async () => {
    const id = await cloud.create('tiny');
    const token = await cloud.tokenFor(id);
    const others = ['http://evil.test', 'null', 'http://cloud.test.evil.test', 'https://cloud.test'];
    // What lies at another port of the same machine is another program's.
    const neighbours = ['http://127.0.0.1:1', `http://localhost:${cloud.port}`, 'http://127.0.0.1'];
    for (const origin of [...others, ...neighbours])
      expect(await cloud.connect(token, { origin }).closed).toEqual({
        code: 0,
        reason: 'Unexpected server response: 403',
      });
    // A name that leads here by its owner's will is none of ours (DNS rebinding).
    expect(isOwnOrigin('http://evil.test:80', 'http://127.0.0.1:80', 'evil.test')).toBe(false);
    const own = cloud.connect(token, { origin: 'http://cloud.test' });
    await own.opened;
    own.socket.send('own');
    expect(await own.says('own')).toContain('own');
    await opened(id, { origin: `http://127.0.0.1:${cloud.port}` });
  });

  test('of two processes of the cloud, one opens the console of a token', async () => {
    const id = await cloud.create('tiny');
    const peer = await cloud.database.peer();
    try {
      for (let round = 0; round < 5; round++) {
        const token = await cloud.tokenFor(id);
        const outcomes = await Promise.allSettled(
          [cloud.platform, { ...cloud.platform, db: peer }].map((one) => redeemToken(one, () => true, token)),
        );
        expect(outcomes.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
      }
    } finally {
      await peer.close();
    }
  });

  test('a token of a server that is gone, stopped or not allowed any more opens nothing', async () => {
    const [gone, stopped] = [await cloud.create('tiny'), await cloud.create('tiny')];
    const tokens = [await cloud.tokenFor(gone), await cloud.tokenFor(stopped)];
    await cloud.call('alice', 'DELETE', `/servers/${gone}`);
    await eventually(
      () => cloud.call('alice', 'GET', `/servers/${gone}`),
      (answer) => answer.status === 404,
    );
    await cloud.host.report(stopped, { power: 'stopped' });
    expect((await cloud.connect(tokens[0] ?? '').closed).code).toBe(4404);
    expect((await cloud.connect(tokens[1] ?? '').closed).code).toBe(4409);
    const other = await cloud.create('tiny');
    const token = await cloud.tokenFor(other);
    cloud.lose('user alice');
    expect((await cloud.connect(token).closed).code).toBe(4403);
    expect((await cloud.connect(token).closed).code).toBe(4404);
  });

  test('an open console ends when its server is deleted or rebuilt, or its user loses access', async () => {
    const [gone, rebuilt, kept] = [
      await cloud.create('tiny'),
      await cloud.create('tiny'),
      await cloud.create('tiny'),
    ];
    const consoles = [await opened(gone), await opened(rebuilt), await opened(kept)] as const;
    await cloud.call('alice', 'DELETE', `/servers/${gone}`);
    const answer = await cloud.call('alice', 'POST', `/servers/${rebuilt}/action`, {
      rebuild: { imageRef: 'tiny' },
    });
    expect(answer.status).toBe(202);
    cloud.look();
    expect((await consoles[0].closed).code).toBe(4410);
    expect((await consoles[1].closed).code).toBe(4410);
    consoles[2].socket.send('still');
    expect(await consoles[2].says('still')).toContain('still');
    cloud.lose('user alice');
    await eventually(
      async () => {
        cloud.look();
        return consoles[2].socket.readyState;
      },
      (state) => state === 3,
    );
    expect((await consoles[2].closed).code).toBe(4403);
  });

  test('a console ends with its guest, with what its host says, and when nobody uses it', async () => {
    const id = await cloud.create('tiny');
    const ends: Duplex[] = [];
    const plain = cloud.host.openConsole;
    cloud.host.openConsole = async (...asked) => {
      const guest = await plain(...asked);
      ends.push(guest.bytes);
      return guest;
    };
    const [shell, taken, idle] = [await opened(id), await opened(id), await opened(id)];
    ends[0]?.end();
    expect(await shell.closed).toEqual({ code: 1000, reason: expect.stringContaining('ended') });
    ends[1]?.destroy(hostSays(`it was opened elsewhere ${'ü'.repeat(200)}`));
    expect(await taken.closed).toEqual({
      code: 4409,
      reason: expect.stringMatching(/^it was opened elsewhere ü+$/),
    });
    cloud.pass(30 * 60_000);
    cloud.look();
    expect((await idle.closed).code).toBe(4408);
    await eventually(
      async () => ends.every((end) => end.destroyed),
      (all) => all,
    );
    expect(ends.map((end) => end.destroyed)).toEqual([true, true, true]);
    cloud.host.openConsole = () => Promise.reject(hostSays('no such socket'));
    expect(await cloud.connect(await cloud.tokenFor(id)).closed).toEqual({
      code: 1011,
      reason: 'no such socket',
    });
  });

  test('a server has ten consoles at most', async () => {
    const id = await cloud.create('tiny');
    const consoles = await Promise.all(Array.from({ length: 10 }, () => opened(id)));
    expect((await cloud.connect(await cloud.tokenFor(id)).closed).code).toBe(4429);
    consoles[0]?.socket.close();
    await consoles[0]?.closed;
    await opened(id);
  });

  test('neither side is read faster than the other takes', async () => {
    const id = await cloud.create('tiny');
    let made = 0;
    let taken = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const guest = new Duplex({
      read() {
        setImmediate(() => {
          made += chunk.length;
          this.push(chunk);
        });
      },
      write(data: Buffer) {
        taken += data.length; // and never says that it is done
      },
    });
    cloud.host.openConsole = async () => ({ bytes: guest, resize: () => {} });
    const one = cloud.connect(await cloud.tokenFor(id));
    await one.opened;
    one.socket.pause();
    await eventually(
      async () => guest.isPaused(),
      (is) => is,
    );
    expect(guest.isPaused()).toBe(true);
    expect(made).toBeLessThan(32 * 1024 * 1024);
    for (let sent = 0; sent < 64; sent++) one.socket.send(Buffer.alloc(1024 * 1024));
    await eventually(
      async () => taken,
      (bytes) => bytes > 0,
    );
    expect(guest.writableLength).toBeLessThan(4 * 1024 * 1024);
    expect(one.socket.bufferedAmount).toBeGreaterThan(16 * 1024 * 1024);
    one.socket.terminate();
    await eventually(
      async () => guest.destroyed,
      (is) => is,
    );
    expect(guest.destroyed).toBe(true);
  });

  test('what is too large or not a console is refused, and other upgrades are answered as if they were none', async () => {
    const id = await cloud.create('tiny');
    const one = await opened(id);
    one.socket.send(Buffer.alloc(1024 * 1024 + 1));
    expect((await one.closed).code).toBe(1009);
    const answer = (path: string, headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        get({ host: '127.0.0.1', port: cloud.port, path, headers }, (reply) => {
          reply.resume();
          resolve(reply.statusCode);
        }).once('error', reject);
      });
    const upgrade = { connection: 'Upgrade', upgrade: 'h2c' };
    expect(await answer('/compute/v2.1', upgrade)).toBe(200);
    expect(await answer('/compute/v2.1', { ...upgrade, upgrade: 'websocket' })).toBe(200);
    expect(await answer('/console', {})).toBe(404);
  });

  test('consoles end cleanly when the program stops', async () => {
    const id = await cloud.create('tiny');
    const bytes = new PassThrough();
    cloud.host.openConsole = async () => ({ bytes, resize: () => {} });
    const one = await opened(id);
    const began = Date.now();
    await cloud.server.app.close();
    expect((await one.closed).code).toBe(1001);
    expect(bytes.destroyed).toBe(true);
    expect(Date.now() - began).toBeLessThan(5_000);
  });
});
