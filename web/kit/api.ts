// Speaks the public OpenStack API of the cloud that served this page; there is no other way in.
// What the console can do, a script can do with the same calls.
import { currentSession, sessionExpired } from './session.ts';

/** What the newest microversion of a service is that the console was written for. */
const MICROVERSIONS: readonly (readonly [prefix: string, header: string])[] = [
  ['/compute/', 'compute 2.96'],
  ['/volume/', 'volume 3.70'],
  ['/placement/', 'placement 1.39'],
];

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export type Call = {
  query?: Query;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** e.g. 'compute 2.5', where another than the newest is meant. */
  microversion?: string;
};

/** What a service answered in place of what was asked; or that it did not answer (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly requestId: string | null;
  /** The field that the message names, e.g. 'server.name'. */
  readonly field: string | null;

  constructor(status: number, message: string, requestId: string | null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.requestId = requestId;
    this.field = fieldOf(message);
  }
}

/** "Invalid input for field/attribute name. Value: ..." -> 'name' */
const fieldOf = (message: string): string | null =>
  /(?:field\/attribute|Invalid input for) ['"]?([A-Za-z_][\w.[\]:-]*?)['"]?[.:,' ]/.exec(message)?.[1] ??
  null;

/** The message of a fault in whichever of the services' formats it comes. */
export function messageOf(text: string, status: number): string {
  try {
    const body: unknown = JSON.parse(text);
    const found = deepMessage(body);
    if (found !== null) return found;
  } catch {
    // Glance answers with a page.
    const page = /<\/h1>\s*([\s\S]*?)(?:<br|<\/body)/.exec(text)?.[1]?.trim();
    if (page !== undefined && page !== '')
      return page
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&quot;', '"')
        .replaceAll('&amp;', '&');
  }
  return text === '' ? `HTTP ${status}` : text.slice(0, 500);
}

function deepMessage(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const key of ['message', 'detail']) {
    const text = (value as Record<string, unknown>)[key];
    if (typeof text === 'string' && text !== '') return text;
  }
  for (const inner of Object.values(value)) {
    const text = deepMessage(inner);
    if (text !== null) return text;
  }
  return null;
}

export function urlOf(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [String(value)])
      parameters.append(name, one);
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${text}`;
}

export function headersFor(path: string, call: Call = {}): Record<string, string> {
  const session = currentSession();
  const version = call.microversion ?? MICROVERSIONS.find(([prefix]) => path.startsWith(prefix))?.[1];
  return {
    accept: 'application/json',
    ...(session === null ? {} : { 'x-auth-token': session.token }),
    ...(version === undefined ? {} : { 'openstack-api-version': version }),
    ...call.headers,
  };
}

async function send(method: string, path: string, call: Call): Promise<Response> {
  const { body } = call;
  const raw = body instanceof Blob || typeof body === 'string';
  try {
    return await fetch(urlOf(path, call.query), {
      method,
      headers: {
        ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
        ...headersFor(path, call),
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, error instanceof Error ? error.message : String(error), null);
  }
}

/** The answer itself. A session that ended meanwhile is renewed by its user, and the call made again. */
export async function request(method: string, path: string, call: Call = {}): Promise<Response> {
  const had = currentSession()?.token;
  let response = await send(method, path, call);
  // Signing in answers 401 itself; and without a session there is nothing to renew.
  if (response.status === 401 && had !== undefined) {
    await sessionExpired(had);
    response = await send(method, path, call);
  }
  if (response.ok) return response;
  throw new ApiError(
    response.status,
    messageOf(await response.text(), response.status),
    response.headers.get('x-openstack-request-id'),
  );
}

async function json<T>(method: string, path: string, call?: Call): Promise<T> {
  const text = await (await request(method, path, call)).text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
    json('GET', path, {
      ...(query === undefined ? {} : { query }),
      ...(signal === undefined ? {} : { signal }),
    }),
  post: <T = void>(path: string, body?: unknown, call?: Omit<Call, 'body'>): Promise<T> =>
    json('POST', path, { ...call, body }),
  put: <T = void>(path: string, body?: unknown, call?: Omit<Call, 'body'>): Promise<T> =>
    json('PUT', path, { ...call, body }),
  patch: <T = void>(path: string, body?: unknown, call?: Omit<Call, 'body'>): Promise<T> =>
    json('PATCH', path, { ...call, body }),
  delete: <T = void>(path: string, call?: Call): Promise<T> => json('DELETE', path, call),
};

const PAGE = 1000;

/** Every page of a list, e.g. `all('/network/v2.0/ports', 'ports', { sort_key: 'name' })`. */
export async function all<T extends { id?: string }>(
  path: string,
  key: string,
  query: Query = {},
  signal?: AbortSignal,
): Promise<T[]> {
  const items: T[] = [];
  for (;;) {
    const marker = items.at(-1)?.id;
    const page = await api.get<Record<string, T[]>>(
      path,
      { limit: PAGE, ...query, ...(marker === undefined ? {} : { marker }) },
      signal,
    );
    const rows = page[key] ?? [];
    items.push(...rows);
    if (rows.length < PAGE || rows.at(-1)?.id === undefined) return items;
  }
}
