// The rules by which users may have images fetched (SSRF: CVE-2026-34881, CVE-2020-8555), against a real server on loopback.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { checkUri, download, parseSource, type Resolver } from './download.ts';

const sources = (...entries: string[]) => entries.map(parseSource);
const resolveTo =
  (...addresses: string[]): Resolver =>
  (_, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

async function withServer<T>(
  answer: (origin: string) => RequestListener,
  work: (origin: string, port: number) => Promise<T>,
): Promise<T> {
  let listener: RequestListener = () => {};
  const server = createServer((request, response) => listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  listener = answer(origin);
  try {
    return await work(origin, port);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
const fetched = async (allow: string[], uri: string, resolve?: Resolver, maxBytes = 1000): Promise<string> =>
  Buffer.concat(
    await (
      await download(sources(...allow), uri, {
        clock: systemClock,
        maxBytes,
        ...(resolve === undefined ? {} : { resolve }),
      })
    ).toArray(),
  ).toString();

it('lets through what an entry names: scheme, host, port, and hosts below a domain', () => {
  const allow = sources('https://images.example.org', 'http://*.example.net:8080', 'https://*:444');
  for (const uri of [
    'https://images.example.org/a?b=c',
    'https://IMAGES.example.org:443/a',
    'http://x.y.example.net:8080/',
    'https://whoever.test:444/',
  ])
    expect(checkUri(allow, uri).href).toContain('/');
  for (const uri of [
    'http://images.example.org/a',
    'https://images.example.org:8443/a',
    'https://images.example.org.evil.test/',
    'https://evil.test/#https://images.example.org/',
    'https://images.example.org@evil.test/',
    'http://example.net:8080/',
    'http://evilexample.net:8080/',
    'file:///etc/passwd',
    'ftp://images.example.org/',
    'https://user:secret@images.example.org/',
    '//images.example.org/',
    'not an address',
  ])
    expect(() => checkUri(allow, uri), uri).toThrow(/Invalid input for uri/);
});

it('refuses entries that it could misunderstand', () => {
  for (const entry of [
    'example.org',
    'https://a*b.org',
    'https://host/path',
    'ftp://host',
    'https://u@host',
    '',
  ])
    expect(() => parseSource(entry), entry).toThrow('is no source of images');
});

it('fetches, follows redirects that the list allows, and no others', () =>
  withServer(
    (origin) => (request, response) => {
      if (request.url === '/image') return void response.end('content');
      const to: Record<string, string> = {
        '/there': `${origin}/image`,
        '/elsewhere': 'http://127.0.0.2:1/image',
        '/metadata': 'http://169.254.169.254/latest/meta-data',
        '/file': 'file:///etc/passwd',
        '/loop': '/loop',
      };
      response.writeHead(302, { location: to[request.url ?? ''] ?? '' }).end();
    },
    async (origin) => {
      expect(await fetched([origin], `${origin}/image`)).toBe('content');
      expect(await fetched([origin], `${origin}/there`)).toBe('content');
      for (const path of ['elsewhere', 'metadata', 'file'])
        await expect(fetched([origin], `${origin}/${path}`), path).rejects.toThrow(/Invalid input for uri/);
      await expect(fetched([origin, 'http://*'], `${origin}/metadata`)).rejects.toThrow('not public');
      await expect(fetched([origin], `${origin}/loop`)).rejects.toThrow('redirects');
    },
  ));

it('reaches no address that is not public, however it is named, unless the list names the address itself', () =>
  withServer(
    () => (_, response) => void response.end('secret'),
    async (origin, port) => {
      const all = [`http://*:${port}`, 'http://*'];
      for (const uri of [
        `http://127.0.0.1:${port}/`,
        `http://2130706433:${port}/`,
        `http://0x7f.1:${port}/`,
        `http://[::1]:${port}/`,
        `http://[::ffff:127.0.0.1]:${port}/`,
        `http://0.0.0.0:${port}/`,
        'http://10.0.0.1/',
        'http://192.168.1.1/',
        'http://169.254.169.254/',
        'http://100.64.0.1/',
        'http://[fe80::1]/',
        'http://[fd00::1]/',
        'http://[64:ff9b::7f00:1]/',
        'http://[2002:7f00:1::]/',
      ])
        await expect(fetched(all, uri), uri).rejects.toThrow('not public');
      for (const addresses of [['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::1'], ['10.1.2.3']])
        await expect(
          fetched(all, `http://rebound.test:${port}/`, resolveTo(...addresses)),
          addresses.join(' '),
        ).rejects.toThrow('not public');
      expect(await fetched([origin], `${origin}/`)).toBe('secret');
      await expect(fetched([origin], `http://localhost:${port}/`)).rejects.toThrow('operator does not allow');
    },
  ));

it('stops at what is too large or no success, and says so', () =>
  withServer(
    () => (request, response) =>
      request.url === '/large'
        ? void response.writeHead(200, { 'content-length': '2000' }).end(Buffer.alloc(2000))
        : void response.writeHead(404).end(),
    async (origin) => {
      await expect(fetched([origin], `${origin}/large`)).rejects.toThrow('2000 bytes, and 1000 are allowed');
      await expect(fetched([origin], `${origin}/none`)).rejects.toThrow('status 404');
      await expect(fetched(['http://127.0.0.1:1'], 'http://127.0.0.1:1/')).rejects.toThrow('ECONNREFUSED');
      await expect(fetched(['http://*'], 'http://nowhere.invalid/')).rejects.toThrow(
        'could not be downloaded',
      );
      const unknown: Resolver = (_, done) => done(new Error('unknown host'), []);
      await expect(fetched(['http://*'], 'http://unknown.test/', unknown)).rejects.toThrow('unknown host');
      await expect(fetched(['http://*'], 'http://empty.test/', resolveTo())).rejects.toThrow(
        'has no address',
      );
    },
  ));
