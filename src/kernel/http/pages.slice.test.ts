// What a browser is shown beside the API, and what a client of the API goes on to be answered.
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../../testkit/database.ts';
import { testPlatform } from '../../testkit/http.ts';
import { unauthorized } from '../errors.ts';
import { createTelemetry } from '../telemetry.ts';
import { pagesOf } from './pages.ts';
import { compute, network } from './pipeline.fixture.ts';
import { createHttpServer } from './server.ts';

const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('pages', () => {
  let database: TestDatabase;
  let dir: string;
  let app: ReturnType<typeof createHttpServer>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'strata-pages-'));
    mkdirSync(join(dir, 'assets'));
    writeFileSync(join(dir, 'index.html'), '<p nonce="__NONCE__">page</p>');
    writeFileSync(join(dir, 'assets/a-1.js'), 'plain');
    writeFileSync(join(dir, 'assets/a-1.js.gz'), 'squeezed');
    database = await openTestDatabase('sqlite');
    app = createHttpServer({
      platform: testPlatform(database.db),
      services: [compute, network],
      authenticate: () => {
        throw unauthorized('no token');
      },
      telemetry: createTelemetry(),
      pages: pagesOf(dir),
    });
    await app.ready();
  });
  afterAll(async () => {
    await app.close();
    await database.remove();
    rmSync(dir, { recursive: true });
  });
  const get = (url: string, headers: Record<string, string> = browser) =>
    app.inject({ method: 'GET', url, headers });

  it('are at every address that no service has, with a nonce that is never used twice', async () => {
    const [one, two] = [await get('/servers/x'), await get('/servers/x?y=1')];
    expect(one.statusCode).toBe(200);
    expect(one.headers['content-type']).toBe('text/html; charset=utf-8');
    const nonce = /nonce="([^"]+)"/.exec(one.body)?.[1];
    expect(one.headers['content-security-policy']).toContain(`style-src 'self' 'nonce-${nonce}'`);
    expect(two.body).not.toBe(one.body);
  });

  it('run only scripts of this cloud, and are framed by nobody', async () => {
    const rules = String((await get('/servers')).headers['content-security-policy']).split('; ');
    expect(rules).toContain("default-src 'none'");
    expect(rules).toContain("script-src 'self'");
    expect(rules).toContain("frame-ancestors 'none'");
    expect(rules.join()).not.toMatch(/unsafe|https?:|\*/);
  });

  it('do not answer for a service: its faults keep their own format', async () => {
    for (const url of ['/network/nothing', '/network', '/compute/x/y/z']) {
      const answer = await get(url);
      expect(answer.statusCode, url).toBe(404);
      expect(answer.headers['content-type'], url).toContain('application/json');
    }
  });

  it('are not for who wants data, nor for what changes something', async () => {
    expect((await get('/servers', { accept: 'application/json' })).statusCode).toBe(404);
    expect((await get('/servers', {})).statusCode).toBe(404);
    const post = await app.inject({ method: 'POST', url: '/servers', headers: browser });
    expect(post.statusCode).toBe(404);
  });

  it('have files that may be kept for good, as small as the client takes them', async () => {
    const plain = await get('/assets/a-1.js', {});
    expect([plain.statusCode, plain.body]).toEqual([200, 'plain']);
    expect(plain.headers['cache-control']).toContain('immutable');
    expect(plain.headers['x-content-type-options']).toBe('nosniff');
    const small = await get('/assets/a-1.js', { 'accept-encoding': 'gzip' });
    expect([small.body, small.headers['content-encoding']]).toEqual(['squeezed', 'gzip']);
  });

  it.each(['/assets/gone.js', '/assets/', '/assets/..%2findex.html'])('have no file at %s', async (url) => {
    expect((await get(url)).statusCode).not.toBe(200);
  });

  it('are not there before they are built', async () => {
    expect(await pagesOf(join(dir, 'nowhere')).page('text/html')).toBeNull();
  });
});
