// The pipeline over small made-up services: what is answered to whom, in which order, and in which format.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testActor, testPlatform, testServer, type TestServer } from '../../testkit/http.ts';
import { compute, network, upload } from './pipeline.fixture.ts';

describe('the pipeline', () => {
  let database: TestDatabase;
  let server: TestServer;
  let port: number;
  const { call } = { call: (...parts: Parameters<TestServer['call']>) => server.call(...parts) };
  beforeAll(async () => {
    database = await openTestDatabase('sqlite');
    server = await testServer(testPlatform(database.db), [compute, network], {
      member: testActor('m', 'p1'),
      reader: testActor('r', 'p1', ['reader']),
      none: testActor('n', 'p1', []),
    });
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    port = (server.app.server.address() as { port: number }).port;
  });
  afterAll(async () => {
    await server.close();
    await database.remove();
  });
  /** Writes bytes to a socket and reads the answer: for what no client library would send. */
  const raw = (bytes: string | Buffer): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      let answer = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
      socket.on('error', reject).on('close', () => resolve(answer));
      setTimeout(() => socket.end(), 300);
    });

  it('authenticates before it parses the body, decides before it validates', async () => {
    expect((await call(null, 'POST', '/compute/things', '{broken')).status).toBe(401);
    expect((await call('reader', 'POST', '/compute/things', '{broken')).status).toBe(403);
    const bad = await call('member', 'POST', '/compute/things', '{broken');
    expect([bad.status, bad.json.badRequest.code]).toEqual([400, 400]);
    expect((await call('none', 'GET', '/compute/things')).status).toBe(403);
  });

  it('needs no token where anyone may, and believes no identity headers anywhere', async () => {
    expect((await call(null, 'GET', '/compute')).status).toBe(200);
    const forged = {
      'x-user-id': 'root',
      'X-ROLES': 'admin',
      'x-project-id': 'p2',
      'x-identity-status': 'Confirmed',
    };
    expect((await call(null, 'GET', '/compute/things', undefined, forged)).status).toBe(401);
    expect((await call('member', 'POST', '/compute/things', { name: 'a' }, forged)).json.user).toBe('user-m');
    expect((await call('member', 'GET', '/compute/things/p2', undefined, forged)).status).toBe(404);
  });

  it('answers unknown paths in the format of the service that the path belongs to', async () => {
    expect((await call('member', 'GET', '/compute/nowhere')).json).toEqual({
      itemNotFound: { code: 404, message: 'The resource could not be found.' },
    });
    expect((await call('member', 'GET', '//nova//nowhere?x=1')).json.itemNotFound.code).toBe(404);
    expect((await call('member', 'GET', '/network?x=1')).json.NeutronError.type).toBe('NotFound');
    expect((await call('member', 'GET', '/elsewhere')).json.error.code).toBe(404);
    expect((await call('member', 'GET', '/computes')).json.error.code).toBe(404);
  });

  it('serves aliases, double and trailing slashes, and HEAD', async () => {
    for (const url of ['//compute//things', '/nova/things'])
      expect((await call('member', 'GET', url)).status).toBe(200);
    for (const url of ['/compute/things', '/compute/download']) {
      const head = await call('member', 'HEAD', url);
      expect([head.status, head.text]).toEqual([200, '']);
    }
    expect((await call('member', 'HEAD', '/compute/download')).headers['content-length']).toBe('5');
  });

  it('refuses methods that are not there', async () => {
    for (const method of ['DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])
      expect([404, 405]).toContain((await call('member', method, '/compute/things')).status);
  });

  it('refuses a body that is hostile or malformed with 400 or 413, never 5xx', async () => {
    const deep = (open: string, close: string): string =>
      `{"name": ${open.repeat(100_000)}1${close.repeat(100_000)}}`;
    const bodies = [
      '{',
      'null',
      '[]',
      '"x"',
      '{"name":"a\\u0000b"}',
      '{"name":"a","__proto__":{}}',
      '{"name":"a","\\u005f_proto__":{"x":1}}',
      '{"name":{"constructor":1}}',
      '{"name":"\\ud800"}',
      '{"na\\u0000me":1}',
      deep('[', ']'),
      deep('{"a":', '}'),
      '{"name":1e999}',
      '{"name":""}',
      `{"name":"${'x'.repeat(21)}"}`,
      '{"name":"a","other":1}',
      '\u0000',
    ];
    for (const body of bodies) {
      const answer = await call('member', 'POST', '/compute/things', body);
      expect([body.slice(0, 40), answer.status]).toEqual([body.slice(0, 40), 400]);
      expect(answer.json.badRequest.message.length).toBeLessThan(600);
    }
    expect(
      (
        await call(
          'member',
          'POST',
          '/compute/things',
          Buffer.from([0x7b, 0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]),
        )
      ).status,
    ).toBe(400);
    expect((await call('member', 'POST', '/compute/things')).status).toBe(400);
    // A backslash before u0000 is six honest characters.
    expect((await call('member', 'POST', '/compute/things', '{"name":"a\\\\u0000b"}')).status).toBe(201);
    const big = await call(
      'member',
      'POST',
      '/compute/things',
      JSON.stringify({ name: 'x'.repeat(10 * 1024 * 1024) }),
    );
    expect([big.status, big.json.overLimit.code]).toEqual([413, 413]);
  });

  it('names field, value and rule', async () => {
    const { json } = await call('member', 'POST', '/compute/things', { name: 'x'.repeat(21) });
    expect(json.badRequest.message).toMatch(
      /^Invalid input for field\/attribute name\. Value: "x{21}"\. It must /,
    );
    expect(
      (await call('member', 'POST', '/compute/things', { name: 'a', sneaky: 1 })).json.badRequest.message,
    ).toContain("'sneaky' was unexpected");
    expect((await call('member', 'POST', '/compute/things', {})).json.badRequest.message).toContain(
      "'name' is a required property",
    );
  });

  it('coerces and checks queries, and ignores what a list does not filter by', async () => {
    expect((await call('member', 'GET', '/compute/things?limit=5&other=1&name=7')).json.query).toEqual({
      limit: 5,
      name: '7',
    });
    for (const query of ['limit=x', 'limit=101', 'limit=-1', 'limit=', 'name=a%00b', 'zzz=%00', 'name=a%0ab'])
      expect([query, (await call('member', 'GET', `/compute/things?${query}`)).status]).toEqual([query, 400]);
    for (const query of ['__proto__=1', 'constructor=1', '__proto__[x]=1', 'hasOwnProperty=1', '%zz=%zz'])
      expect([query, (await call('member', 'GET', `/compute/things?${query}`)).status]).toEqual([query, 200]);
  });

  it('answers paths that are none with 4xx in the right format', async () => {
    expect((await call('member', 'GET', '/compute/things/%00')).status).toBe(404);
    expect((await call('member', 'GET', '/compute/things/a%0ab')).status).toBe(404);
    const bad = await call('member', 'GET', '/compute/things/%zz');
    expect(bad.status).toBe(400);
    expect(bad.json.badRequest.code).toBe(400);
    for (const length of [1999, 2001, 8000]) {
      const long = await call('member', 'GET', `/compute/things/${'x'.repeat(length)}`);
      expect([length, long.status]).toEqual([length, length < 2000 ? 404 : 414]);
      expect(long.text.length).toBeLessThan(600);
      expect(Object.keys(long.json)).toEqual([length < 2000 ? 'itemNotFound' : 'badRequest']);
    }
  });

  it('negotiates microversions and says which it took', async () => {
    const at = (headers: Record<string, string>) =>
      call('member', 'POST', '/compute/things', { name: 'a' }, headers);
    expect((await at({})).json.minor).toBe(1);
    expect((await at({ 'openstack-api-version': 'compute 2.52' })).json.minor).toBe(52);
    expect((await at({ 'openstack-api-version': 'volume 3.1, compute 2.60' })).json.minor).toBe(60);
    expect((await at({ 'x-openstack-nova-api-version': '2.7' })).json.minor).toBe(7);
    const latest = await at({ 'openstack-api-version': 'compute latest' });
    expect([
      latest.json.minor,
      latest.headers['openstack-api-version'],
      latest.headers['x-openstack-nova-api-version'],
    ]).toEqual([93, 'compute 2.93', '2.93']);
    expect(latest.headers['vary']).toContain('OpenStack-API-Version');
    for (const version of ['2.94', '3.1', '2.0', '1.5'])
      expect([version, (await at({ 'openstack-api-version': `compute ${version}` })).status]).toEqual([
        version,
        406,
      ]);
    for (const version of ['x', '2', '2.1.1', '-2.1', '2.999999'])
      expect([version, (await at({ 'openstack-api-version': `compute ${version}` })).status]).toEqual([
        version,
        400,
      ]);
    expect((await call('member', 'POST', '/compute/things', { name: 'a', tags: [] })).status).toBe(400);
    expect(
      (
        await call(
          'member',
          'POST',
          '/compute/things',
          { name: 'a', tags: [] },
          { 'openstack-api-version': 'compute 2.52' },
        )
      ).status,
    ).toBe(201);
    expect((await call('member', 'GET', '/compute/new')).status).toBe(404);
    expect(
      (await call('member', 'GET', '/compute/new', undefined, { 'openstack-api-version': 'compute 2.50' }))
        .status,
    ).toBe(200);
  });

  it('tells actions apart by the one key of their body, each with its own policy and version', async () => {
    const act = (as: string, body: unknown, version = '2.1') =>
      call(as, 'POST', '/compute/things/x/action', body, { 'openstack-api-version': `compute ${version}` });
    expect((await act('member', { pause: null })).status).toBe(202);
    expect((await act('reader', { pause: null })).status).toBe(403);
    expect((await act('reader', { lock: {} }, '2.9')).status).toBe(202);
    for (const body of [{ lock: {} }, {}, { pause: null, lock: {} }, { nope: 1 }, { pause: 1 }, [], 'x'])
      expect([body, (await act('member', body)).status]).toEqual([body, 400]);
    expect((await call(null, 'POST', '/compute/things/x/action', '{')).status).toBe(401);
  });

  it('shows nothing of an unexpected error but its request id', async () => {
    const broken = await call('member', 'GET', '/compute/broken');
    expect(broken.status).toBe(500);
    expect(broken.text).not.toContain('secret');
    expect(broken.json.computeFault.code).toBe(500);
    expect(broken.headers['x-openstack-request-id']).toMatch(/^req-[0-9a-f-]{36}$/);
    const down = await call('member', 'GET', '/compute/down');
    expect([down.status, down.headers['retry-after']]).toEqual([503, '5']);
  });

  it('encodes an object with a property named pipe as any other', async () => {
    expect((await call('member', 'GET', '/compute/things/p1')).json.pipe).toBe('a property of that name');
    expect((await call('member', 'GET', '/compute/pipe')).json).toEqual({ pipe: 'a property of that name' });
  });

  it('streams an upload, chunked or empty, and tells the handler when the client goes away', async () => {
    const put = (rest: string): string =>
      `PUT /compute/upload HTTP/1.1\r\nhost: x\r\nx-auth-token: member\r\ncontent-type: application/octet-stream\r\n${rest}`;
    expect(await raw(put('transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'))).toContain('204');
    expect(upload.bytes).toBe(5);
    expect((await call('member', 'PUT', '/compute/upload')).status).toBe(204);
    expect(upload.bytes).toBe(0);
    upload.aborted = Promise.withResolvers();
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(put('content-length: 1000\r\n\r\nonly a part'));
      setTimeout(() => socket.destroy(), 50);
    });
    expect(await upload.aborted.promise).toMatch(/abort|ECONNRESET|premature/i);
    expect((await call(null, 'PUT', '/compute/upload', 'data')).status).toBe(401);
  });

  it('takes chunked JSON, and ends oddly framed requests with 400', async () => {
    const head =
      'POST /compute/things HTTP/1.1\r\nhost: x\r\nx-auth-token: member\r\ncontent-type: application/json\r\n';
    expect(
      await raw(`${head}transfer-encoding: chunked\r\n\r\n8\r\n{"name":\r\n4\r\n"a"}\r\n0\r\n\r\n`),
    ).toContain(' 201 ');
    for (const odd of [
      'content-length: 5\r\ncontent-length: 6\r\n\r\n{"a":1}',
      'content-length: -1\r\n\r\n',
      'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'transfer-encoding: chunked\r\n\r\nzz\r\n',
      'x: \0\r\n\r\n',
    ])
      expect([odd, (await raw(head + odd)).split(' ')[1]]).toEqual([odd, '400']);
    // Two tokens: the first counts, whatever the second says.
    expect(
      await raw(
        'GET /compute/things HTTP/1.1\r\nhost: x\r\nx-auth-token: nobody\r\nx-auth-token: member\r\nconnection: close\r\n\r\n',
      ),
    ).toContain(' 401 ');
  });
});
