// Serves the built pages of a single-page application beside the API: its assets for good, its one page at every address
// that no service has. Nothing of it may run that did not come with it.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { Reply } from './route.ts';

/** What the page holds where its nonce belongs. */
const PLACE_OF_NONCE = '__NONCE__';

// https://www.w3.org/TR/CSP3. Styles are also made at run time, by who knows the page's nonce; scripts never are.
const policy = (nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

export type Pages = {
  /** The page, for who asks for one; null: it is not built, or the client wants data. */
  page(accept: string | undefined): Promise<Reply | null>;
  register(app: FastifyInstance): void;
};

/** `dir`: what the build wrote, with index.html and assets/. */
export function pagesOf(dir: string): Pages {
  return {
    async page(accept) {
      if (accept === undefined || !accept.includes('text/html')) return null;
      // Read anew each time: a new build names new assets.
      const html = await readFile(join(dir, 'index.html'), 'utf8').catch(() => null);
      if (html === null) return null;
      const nonce = randomBytes(16).toString('base64');
      return {
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'content-security-policy': policy(nonce),
          'cross-origin-opener-policy': 'same-origin',
          'referrer-policy': 'no-referrer',
          'x-content-type-options': 'nosniff',
          vary: 'Accept',
        },
        body: html.replaceAll(PLACE_OF_NONCE, nonce),
      };
    },
    register(app) {
      void app.register(fastifyStatic, {
        root: join(dir, 'assets'),
        prefix: '/assets/',
        preCompressed: true,
        decorateReply: false,
        index: false,
        // Their names change with their content.
        immutable: true,
        maxAge: '365d',
        setHeaders: (response) => void response.header('x-content-type-options', 'nosniff'),
      });
    },
  };
}
