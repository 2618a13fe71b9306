// A load client: keep-alive connections over loopback, as many as there are concurrent callers.
import { Agent, request } from 'node:http';

export type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string };
export type Client = {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** As `send`, parsed; throws unless the answer is 2xx. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Sends this token from now on. */
  token: string;
  close(): void;
};

export function openClient(url: string, connections = 64): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const client: Client = {
    token: '',
    send: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const payload = body === undefined ? undefined : Buffer.isBuffer(body) ? body : JSON.stringify(body);
        const outgoing = request(
          url + path,
          {
            method,
            agent,
            headers: {
              ...(client.token === '' ? {} : { 'x-auth-token': client.token }),
              ...(payload === undefined
                ? {}
                : {
                    'content-type': 'application/json',
                    'content-length': String(Buffer.byteLength(payload)),
                  }),
              ...headers,
            },
          },
          (incoming) => {
            let text = '';
            incoming.setEncoding('utf8');
            incoming.on('data', (chunk: string) => (text += chunk));
            incoming.on('end', () =>
              resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
            );
          },
        );
        outgoing.on('error', reject);
        outgoing.end(payload);
      }),
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const answer = await client.send(method, path, body);
      if (answer.status < 200 || answer.status > 299)
        throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.text.slice(0, 400)}`);
      return (answer.text === '' ? undefined : JSON.parse(answer.text)) as T;
    },
    close: () => agent.destroy(),
  };
  return client;
}

const domain = { name: 'Default' };
export const loginBody = (user: string, password: string): object => ({
  auth: {
    identity: { methods: ['password'], password: { user: { name: user, domain, password } } },
    scope: { project: { name: user, domain } },
  },
});

/** A client that is signed in to the project of the same name; also says the project's id. */
export async function signedIn(
  url: string,
  user: string,
  password: string,
  connections?: number,
): Promise<{ client: Client; projectId: string }> {
  const client = openClient(url, connections);
  const answer = await client.send('POST', '/identity/v3/auth/tokens', loginBody(user, password));
  if (answer.status !== 201)
    throw new Error(`signing in as ${user}: ${answer.status} ${answer.text.slice(0, 300)}`);
  client.token = String(answer.headers['x-subject-token']);
  return {
    client,
    projectId: (JSON.parse(answer.text) as { token: { project: { id: string } } }).token.project.id,
  };
}

/** Calls `work(0 .. count-1)`, `concurrency` at a time; returns the milliseconds that each took. */
export async function concurrently(
  count: number,
  concurrency: number,
  work: (at: number) => Promise<unknown>,
): Promise<number[]> {
  const took: number[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < count) {
        const at = next++;
        const began = performance.now();
        await work(at);
        took.push(performance.now() - began);
      }
    }),
  );
  return took;
}
