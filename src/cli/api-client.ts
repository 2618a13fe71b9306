// A minimal client of our own public API, for the demo: what it can do, any script can do.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export type ApiClient = {
  /** X-Auth-Token, for what is not JSON. */
  token: string;
  /** Sends JSON, returns the parsed answer; throws with status and message unless it is 2xx. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
};

const REQUEST_LIMIT_MS = 120_000;

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string };

function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: unknown,
  ca: string | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const open = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = open(
      url,
      {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(ca === undefined ? {} : { ca }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    request.on('error', reject);
    request.setTimeout(REQUEST_LIMIT_MS, () =>
      request.destroy(new Error(`${method} ${url} was not answered in ${REQUEST_LIMIT_MS / 1000} s`)),
    );
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Signs in with a password, scoped to the project of the same name. */
export async function signIn(url: string, user: string, password: string, ca?: string): Promise<ApiClient> {
  const domain = { name: 'Default' };
  const answer = await send(
    `${url}/identity/v3/auth/tokens`,
    'POST',
    {},
    {
      auth: {
        identity: { methods: ['password'], password: { user: { name: user, domain, password } } },
        scope: { project: { name: user, domain } },
      },
    },
    ca,
  );
  if (answer.status !== 201)
    throw new Error(`signing in as ${user} was answered with ${answer.status}: ${answer.text.slice(0, 300)}`);
  const token = String(answer.headers['x-subject-token']);
  return {
    token,
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const reply = await send(
        url + path,
        method,
        { 'x-auth-token': token, 'openstack-api-version': 'compute 2.93' },
        body,
        ca,
      );
      if (reply.status < 200 || reply.status > 299)
        throw new Error(`${method} ${path} was answered with ${reply.status}: ${reply.text.slice(0, 500)}`);
      return (reply.text === '' ? undefined : JSON.parse(reply.text)) as T;
    },
  };
}
