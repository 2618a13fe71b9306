// The one error type of the control plane. What the user sees (publicMessage: object, field, value, rule,
// next step) and what only the log sees (detail, cause) never mix. Each service renders it in its own fault format.

export class CloudError extends Error {
  /** HTTP status, 4xx or 5xx. */
  readonly status: number;
  /** Stable name, e.g. 'NetworkNotFound'; Neutron shows it as `type`. Reuse one before inventing one. */
  readonly code: string;
  readonly publicMessage: string;
  readonly detail: string;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    publicMessage: string,
    more: { detail?: string; cause?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(publicMessage, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'CloudError';
    this.status = status;
    this.code = code;
    this.publicMessage = publicMessage;
    this.detail = more.detail ?? '';
    this.headers = more.headers ?? {};
  }
}

export const badRequest = (message: string, code = 'BadRequest'): CloudError =>
  new CloudError(400, code, message);
export const unauthorized = (message: string): CloudError =>
  new CloudError(401, 'Unauthorized', message, {
    headers: { 'www-authenticate': 'Keystone uri="/identity"' },
  });
export const forbidden = (message: string, code = 'Forbidden'): CloudError =>
  new CloudError(403, code, message);
/** `kind` as users know it, e.g. 'Network'. What an actor may not read is also answered with this. */
export const notFound = (kind: string, id: string): CloudError =>
  new CloudError(
    404,
    `${kind.replace(/\s+/g, '')}NotFound`,
    `${kind} ${id.slice(0, 255)} could not be found.`,
  );
export const conflict = (message: string, code = 'Conflict'): CloudError =>
  new CloudError(409, code, message);
export const notImplemented = (message: string): CloudError => new CloudError(501, 'NotImplemented', message);
export const unavailable = (message: string, detail = ''): CloudError =>
  new CloudError(503, 'ServiceUnavailable', message, { detail, headers: { 'retry-after': '5' } });
