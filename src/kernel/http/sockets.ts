// Leads the WebSockets of services to those who serve them, past the routes: what they check is their own.
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Service, Sockets } from './route.ts';

export function socketsOf(services: readonly Service[]) {
  const all = services.flatMap((service) => service.sockets ?? []);
  const find = (request: IncomingMessage): Sockets | undefined =>
    request.headers.upgrade?.toLowerCase() === 'websocket'
      ? all.find(({ path }) => path === (request.url ?? '').split('?')[0])
      : undefined;
  return {
    /** Other requests that offer another protocol (h2c) are answered as if they did not. */
    serverOptions: { shouldUpgradeCallback: (request: IncomingMessage) => find(request) !== undefined },
    register(app: FastifyInstance): void {
      app.server.on('upgrade', (request, socket, head) => {
        const found = find(request);
        if (found === undefined) socket.destroy();
        else found.accept(request, socket, head);
      });
      app.addHook('preClose', async () => {
        await Promise.all(all.map((one) => one.close()));
      });
    },
  };
}
