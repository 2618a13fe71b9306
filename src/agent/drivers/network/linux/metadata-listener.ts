// Accepts metadata requests in the networks' namespaces without a process for each: a short-lived child is
// started in the namespace, listens there, hands its socket to this process and is gone.
// The guest is known by (network, source address) alone, which anti-spoofing makes trustworthy; no header counts.
import { spawn } from 'node:child_process';
import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { Server, type Socket } from 'node:net';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { DriverError } from '../../errors.ts';
import { netnsPath } from './commands.ts';
import { metadataAddress, metadataAddress6 } from './filter.ts';
import type { MetadataResponse } from './metadata.ts';
import { dhcpInterface } from './names.ts';
import { notFound } from './metadata.ts';

// It looks whether it is still connected, because a parent killed early enough ends the channel before any event
// for it can be set up; and the address may be held for a moment by the inNamespaceChild of a process that was just killed.
const child = (host: string): string => `
setInterval(() => process.connected || process.exit(), 50);
process.on('disconnect', () => process.exit());
const server = require('node:net').createServer({ pauseOnConnect: true });
const listen = () => server.listen({ host: '${host}', port: 80, backlog: 128 });
let attempts = 0;
server.on('error', (error) => {
  if (error.code === 'EADDRINUSE' && attempts++ < 40) setTimeout(listen, 50);
  else process.send({ error: error.message }, () => process.exit(1));
});
server.on('listening', () => process.send('listening', server));
listen();`;

/** A listening socket in another namespace. */
export function listenIn(ns: string, clock: Clock, host = metadataAddress): Promise<Server> {
  return new Promise((resolve, reject) => {
    const failed = (reason: string): void =>
      reject(
        new DriverError(
          'failed',
          'The metadata service could not listen in the network’s namespace.',
          `${ns}: ${reason}`,
        ),
      );
    const inNamespaceChild = spawn(
      'nsenter',
      [`--net=${netnsPath(ns)}`, process.execPath, '-e', child(host)],
      {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        env: { PATH: process.env['PATH'] },
      },
    );
    const cancel = clock.timer(10_000, () => inNamespaceChild.kill('SIGKILL'));
    let stderr = '';
    inNamespaceChild.stderr
      ?.setEncoding('utf8')
      .on('data', (chunk: string) => (stderr = (stderr + chunk).slice(0, 2_000)));
    inNamespaceChild.on('message', (message, handle) => {
      if (message === 'listening' && handle instanceof Server) {
        resolve(handle);
        inNamespaceChild.disconnect(); // it ends on this
      } else stderr += JSON.stringify(message);
    });
    inNamespaceChild.on('error', (error) => failed(String(error)));
    inNamespaceChild.on('close', (code) => {
      cancel();
      failed(`exit code ${code}: ${stderr}`); // no effect once it was handed over
    });
  });
}

export type MetadataListeners = {
  /** Starts to listen, or returns at once when it already does. */
  ensure(networkId: string, ipv6: boolean): Promise<void>;
  remove(networkId: string): void;
  close(): void;
};

export type Answer = (networkId: string, sourceIp: string, path: string) => MetadataResponse | null;
/** null: nothing is taken at this path. */
export type Accept = (
  networkId: string,
  sourceIp: string,
  path: string,
  content: string,
) => Promise<MetadataResponse | null>;

/** Bytes of what a guest may send: a sealed password. */
const MAX_CONTENT = 4096;

async function contentOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_CONTENT) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const limits = {
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 8_192,
};

export function createMetadataListeners(options: {
  namespaceOf(networkId: string): string;
  answer: Answer;
  accept: Accept;
  clock: Clock;
  log: Log;
}): MetadataListeners {
  const { namespaceOf, answer, accept, clock, log } = options;
  const listeners = new Map<string, { ready: Promise<void>; close: () => void }>();

  async function taken(
    networkId: string,
    source: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    let result: MetadataResponse;
    try {
      const path = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/');
      const content = await contentOf(request);
      result =
        content === null
          ? { status: 413, contentType: 'text/plain', content: 'Request is too large.\n' }
          : ((await accept(networkId, source, path, content)) ?? {
              status: 405,
              contentType: 'text/plain',
              content: '',
            });
    } catch (error) {
      log.warn(
        { networkId, source, error: String(error) },
        'what a guest told the metadata service was lost',
      );
      result = { status: 503, contentType: 'text/plain', content: 'Try again later.\n' };
    }
    response.writeHead(result.status, {
      'content-type': result.contentType,
      'content-length': Buffer.byteLength(result.content),
      ...(result.status === 413 ? { connection: 'close' } : {}),
    });
    response.end(result.content);
  }

  function httpServer(networkId: string): HttpServer {
    return createServer(limits, (request, response) => {
      const source = request.socket.remoteAddress?.replace(/^::ffff:|%.*$/g, '') ?? '';
      if (request.method === 'POST') return void taken(networkId, source, request, response);
      let result: MetadataResponse;
      try {
        const path = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/');
        result = answer(networkId, source, path) ?? notFound;
      } catch (error) {
        log.warn({ networkId, source, error: String(error) }, 'a metadata request failed');
        result =
          error instanceof URIError
            ? notFound
            : { status: 500, contentType: 'text/plain', content: 'The metadata service failed.\n' };
      }
      request.resume();
      const allowed = request.method === 'GET' || request.method === 'HEAD';
      response.writeHead(allowed ? result.status : 405, {
        'content-type': result.contentType,
        'content-length': allowed ? Buffer.byteLength(result.content) : 0,
      });
      response.end(allowed && request.method === 'GET' ? result.content : undefined);
    });
  }

  function open(networkId: string, host: string): { ready: Promise<void>; close: () => void } {
    const http = httpServer(networkId);
    let listening: Server | null = null;
    let closed = false;
    const ready = listenIn(namespaceOf(networkId), clock, host).then((server) => {
      if (closed) return void server.close();
      listening = server;
      server.maxConnections = 256;
      server.on('connection', (socket: Socket) => http.emit('connection', socket));
      server.on('error', (error) =>
        log.warn({ networkId, error: String(error) }, 'a metadata listener failed'),
      );
    });
    return {
      ready,
      close: () => {
        closed = true;
        listening?.close();
        http.closeAllConnections();
      },
    };
  }

  return {
    async ensure(networkId, ipv6) {
      const hosts = [metadataAddress, ...(ipv6 ? [`${metadataAddress6}%${dhcpInterface}`] : [])];
      await Promise.all(
        hosts.map(async (host) => {
          const key = `${networkId} ${host}`;
          const known = listeners.get(key) ?? open(networkId, host);
          listeners.set(key, known);
          try {
            await known.ready;
          } catch (error) {
            if (listeners.get(key) === known) listeners.delete(key);
            throw error;
          }
        }),
      );
    },
    remove(networkId) {
      for (const [key, listener] of listeners) {
        if (!key.startsWith(`${networkId} `)) continue;
        listener.close();
        listeners.delete(key);
      }
    },
    close() {
      for (const listener of listeners.values()) listener.close();
      listeners.clear();
    },
  };
}
