// The rival of the list: fastify with one route that answers the bytes it was given, as text, as bytes and as an object.
import { fastify } from 'fastify';

const app = fastify({ logger: false });
process.on('message', (message: string) => {
  if (message === 'stop') process.exit(0);
  const object = JSON.parse(message) as object;
  app.get('/prepared', (_request, reply) => reply.header('content-type', 'application/json').send(message));
  const bytes = Buffer.from(message);
  app.get('/bytes', (_request, reply) => reply.header('content-type', 'application/json').send(bytes));
  app.get('/encoded', (_request, reply) =>
    reply.header('content-type', 'application/json').send(JSON.stringify(object)),
  );
  void app.listen({ host: '127.0.0.1', port: 0 }).then((url) => process.send?.(url));
});
process.on('disconnect', () => process.exit(1));
