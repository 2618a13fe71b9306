// Remote consoles over HTTP: which there are, who gets them, what the answers look like; on both engines.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import { eventually } from '../fakes.ts';
import { consoleCloud, type ConsoleCloud } from '../../../testkit/console-cloud.ts';

onBothEngines('remote consoles', (engine) => {
  let cloud: ConsoleCloud;
  beforeEach(async () => {
    cloud = await consoleCloud(engine);
  });
  afterEach(() => cloud.close());

  const message = (answer: { json: Record<string, { message: string }> }) =>
    Object.values(answer.json)[0]?.message;

  test('virtual machines have novnc and serial, containers shell, and addresses as Nova gives them', async () => {
    const vm = await cloud.create('tiny');
    const container = await cloud.create('box');
    const novnc = await cloud.ask(vm, 'vnc', 'novnc');
    expect(novnc.status).toBe(200);
    expect(novnc.json).toEqual({
      remote_console: {
        protocol: 'vnc',
        type: 'novnc',
        url: expect.stringMatching(/^http:\/\/cloud\.test\/console\?path=console%3Ftoken%3D[\w-]{43}$/),
      },
    });
    expect((await cloud.ask(vm, 'serial', 'serial', 'alice', '2.6')).json.remote_console).toEqual({
      protocol: 'serial',
      type: 'serial',
      url: expect.stringMatching(/^ws:\/\/cloud\.test\/console\?token=[\w-]{43}$/),
    });
    expect((await cloud.ask(container, 'serial', 'shell')).json.remote_console.url).toMatch(/^ws:/);
    for (const [id, protocol, type, hint] of [
      [vm, 'serial', 'shell', 'virtual machine, which has novnc and serial'],
      [container, 'vnc', 'novnc', 'container, which has shell'],
      [container, 'serial', 'serial', 'container, which has shell'],
      [vm, 'spice', 'spice-html5', 'novnc and serial'],
      [vm, 'rdp', 'rdp-html5', 'novnc and serial'],
      [vm, 'mks', 'webmks', 'novnc and serial'],
      [vm, 'vnc', 'xvpvnc', 'novnc and serial'],
      [vm, 'vnc', 'serial', 'protocol vnc has novnc'],
    ] as const) {
      const refused = await cloud.ask(id, protocol, type);
      expect([refused.status, message(refused)]).toEqual([400, expect.stringContaining(hint)]);
      expect(message(refused)).toContain(type);
    }
    expect((await cloud.ask(vm, 'mks', 'webmks', 'alice', '2.7')).status).toBe(400);
    expect((await cloud.ask(vm, 'telnet', 'serial')).status).toBe(400);
  });

  test('up to 2.5 there are actions in place of the resource', async () => {
    const id = await cloud.create('tiny');
    const act = (body: object, version: string) =>
      cloud.call('alice', 'POST', `/servers/${id}/action`, body, version);
    expect((await act({ 'os-getVNCConsole': { type: 'novnc' } }, '2.5')).json.console).toEqual({
      type: 'novnc',
      url: expect.stringContaining('/console?path='),
    });
    expect((await act({ 'os-getSerialConsole': { type: 'serial' } }, '2.1')).json.console.type).toBe(
      'serial',
    );
    expect((await act({ 'os-getSPICEConsole': { type: 'spice-html5' } }, '2.1')).status).toBe(400);
    expect((await act({ 'os-getVNCConsole': { type: 'serial' } }, '2.1')).status).toBe(400);
    expect((await act({ 'os-getVNCConsole': { type: 'novnc' } }, '2.6')).status).toBe(400);
    expect((await cloud.ask(id, 'vnc', 'novnc', 'alice', '2.5')).status).toBe(404);
  });

  test('project members and admins get them, readers and other projects do not', async () => {
    const id = await cloud.create('tiny');
    const statuses = [];
    for (const as of ['alice', 'root', 'reader', 'bob'])
      statuses.push((await cloud.ask(id, 'serial', 'serial', as)).status);
    expect(statuses).toEqual([200, 200, 403, 404]);
  });

  test('a server that does not run has none', async () => {
    const id = await cloud.create('tiny');
    await cloud.call('alice', 'POST', `/servers/${id}/action`, { 'os-stop': null });
    const refused = await eventually(
      () => cloud.ask(id, 'serial', 'serial'),
      (answer) => answer.status === 409,
    );
    expect([refused.status, message(refused)]).toEqual([
      409,
      expect.stringContaining('only while its guest runs'),
    ]);
  });

  test('operators see what a token leads to, as often as they like and not longer than it is good', async () => {
    const id = await cloud.create('tiny');
    const token = await cloud.tokenFor(id);
    const show = (as: string, version = '2.96', which = token) =>
      cloud.call(as, 'GET', `/os-console-auth-tokens/${which}`, undefined, version);
    expect((await show('alice')).status).toBe(403);
    expect((await show('root', '2.30')).status).toBe(400);
    expect((await show('root', '2.31')).json).toEqual({
      console: { instance_uuid: id, host: 'cloud.test', port: 80, internal_access_path: null },
    });
    expect((await show('root')).status).toBe(200);
    const other = await show('root', '2.96', 'A'.repeat(43));
    expect([other.status, other.text.includes('AAAA')]).toEqual([404, false]);
    cloud.pass(120_000);
    expect((await show('root')).status).toBe(404);
  });

  test('only the hash of a token is kept, no line of the log holds it, and it goes when it has expired', async () => {
    const id = await cloud.create('tiny');
    const token = await cloud.tokenFor(id);
    const stored = () => cloud.platform.db.read.selectFrom('console_tokens').selectAll().execute();
    expect(await stored()).toHaveLength(1);
    expect(JSON.stringify(await stored())).not.toContain(token);
    await cloud.call('root', 'GET', `/os-console-auth-tokens/${token}`);
    await fetch(`http://127.0.0.1:${cloud.port}/console?token=${token}`);
    const socket = cloud.connect(token);
    await socket.opened;
    socket.socket.close();
    await socket.closed;
    await cloud.connect(token).closed;
    expect(cloud.lines.some((line) => line.includes('console opened'))).toBe(true);
    expect(cloud.lines.some((line) => line.includes('os-console-auth-tokens'))).toBe(true);
    expect(cloud.lines.filter((line) => line.includes(token))).toEqual([]);
    await cloud.tokenFor(id);
    cloud.pass(120_000);
    await cloud.tokenFor(id);
    expect(await stored()).toHaveLength(1);
  });

  test('the audit trail says who asked for a console and that it was opened', async () => {
    const id = await cloud.create('tiny');
    const token = await cloud.tokenFor(id);
    const socket = cloud.connect(token);
    await socket.opened;
    await socket.says('');
    const rows = () =>
      cloud.platform.db.read
        .selectFrom('audit')
        .select(['action', 'user_id', 'project_id', 'request_id'])
        .where('target_id', '=', id)
        .where('action', 'like', '%remote-console%')
        .orderBy('action')
        .execute();
    const found = await eventually(rows, (all) => all.length === 2);
    expect(found.map((row) => [row.action, row.user_id, row.project_id])).toEqual([
      ['compute:servers:remote-console', 'user-alice', 'p1'],
      ['compute:servers:remote-console:open', 'user-alice', 'p1'],
    ]);
    expect(found[0]?.request_id).toBe(found[1]?.request_id);
    socket.socket.close();
  });
});
