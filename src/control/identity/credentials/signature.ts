// Signatures of Amazon's APIs, as services hand them in to be checked: versions 2 and 4 of EC2 requests, versions 2
// and 4 of S3. Nothing is good for longer than the signature itself says: a request that was seen somewhere must not
// be worth a token later (security-cases 10).
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const SKEW_MS = 15 * 60_000;
/** The longest life of a presigned address. */
const PRESIGNED_MS = 7 * 86_400_000;
const V4 = 'AWS4-HMAC-SHA256';

export type Ec2Request = {
  access: string;
  signature: string;
  verb?: string | undefined;
  host?: string | undefined;
  path?: string | undefined;
  params?: Record<string, string> | undefined;
  headers?: Record<string, string> | undefined;
  body_hash?: string | undefined;
};

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const same = (expected: string, given: string): boolean => {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
};

/** RFC 3986: all but the unreserved characters. */
const quote = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
const queryOf = (params: Readonly<Record<string, string>>): string =>
  Object.keys(params)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => `${quote(name)}=${quote(params[name] ?? '')}`)
    .join('&');

/** Of 20260102T030405Z; NaN: it is no such time. */
function basicTime(text: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
/** ISO 8601, of which some clients leave the zone out. */
const utc = (text = ''): number => Date.parse(/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`);
const isNow = (time: number, now: number): boolean => Math.abs(now - time) <= SKEW_MS;

function signingKey(secret: string, [date = '', region = '', service = '', end = '']: string[]): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), end);
}

function isEc2V2(request: Ec2Request, secret: string, now: number): boolean {
  const params = { ...request.params };
  delete params['Signature'];
  if (params['SignatureMethod'] !== undefined && params['SignatureMethod'] !== 'HmacSHA256') return false;
  params['SignatureMethod'] = 'HmacSHA256';
  const [made, ends] = [utc(params['Timestamp']), utc(params['Expires'])];
  if (!isNow(made, now) && !(ends >= now && ends <= now + SKEW_MS)) return false;
  const { verb = '', host = '', path = '' } = request;
  const expected = hmac(secret, `${verb}\n${host}\n${path}\n${queryOf(params)}`).toString('base64');
  return same(expected, request.signature);
}

function isEc2V4(request: Ec2Request, secret: string, now: number): boolean {
  const headers = Object.fromEntries(
    Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase().trim(), value.trim()]),
  );
  const params = { ...request.params };
  const authorization = headers['authorization'];
  const said = (name: string): string =>
    authorization === undefined
      ? (params[`X-Amz-${name}`] ?? '')
      : (new RegExp(`(?:^|[ ,])${name}=([^, ]+)`).exec(authorization)?.[1] ?? '');
  if (authorization === undefined ? params['X-Amz-Algorithm'] !== V4 : !authorization.startsWith(`${V4} `))
    return false;
  const [access, ...scope] = said('Credential').split('/');
  const date = headers['x-amz-date'] ?? params['X-Amz-Date'] ?? '';
  const signed = said('SignedHeaders').split(';');
  if (
    access !== request.access ||
    scope.length !== 4 ||
    scope[3] !== 'aws4_request' ||
    !date.startsWith(scope[0] ?? ' ') ||
    !isNow(basicTime(date), now) ||
    // What names the host and the time must be under the signature, or it could be of another request.
    !signed.includes('host') ||
    !signed.every((name) => headers[name] !== undefined)
  )
    return false;
  delete params['X-Amz-Signature'];
  const { verb = '', path = '', body_hash = '' } = request;
  const canonical = [
    verb.toUpperCase(),
    path,
    verb.toUpperCase() === 'POST' ? '' : queryOf(params),
    ...signed.map((name) => `${name}:${headers[name] ?? ''}`),
    '',
    signed.join(';'),
    body_hash,
  ].join('\n');
  const text = [V4, date, scope.join('/'), sha256(canonical)].join('\n');
  return same(hmac(signingKey(secret, scope), text).toString('hex'), request.signature);
}

/** A request to an EC2 service: not older than a quarter of an hour. */
export const isEc2Signature = (request: Ec2Request, secret: string, now: number): boolean =>
  request.params?.['SignatureVersion'] === '2'
    ? isEc2V2(request, secret, now)
    : isEc2V4(request, secret, now);

/** `text` is what an S3 service says was signed. It judges itself for how long; this knows no more than the text. */
export function isS3Signature(text: string, signature: string, secret: string, now: number): boolean {
  if (text.startsWith(`${V4}\n`)) {
    const [, date = '', scope = ''] = text.split('\n');
    const made = basicTime(date);
    const parts = scope.split('/');
    if (parts.length !== 4 || parts[3] !== 'aws4_request' || !date.startsWith(parts[0] ?? ' ')) return false;
    if (!(made <= now + SKEW_MS && made >= now - PRESIGNED_MS)) return false;
    return same(hmac(signingKey(secret, parts), text).toString('hex'), signature);
  }
  // Version 2: the fourth line is a time, or the seconds since the epoch until which the address is good.
  const lines = text.split('\n');
  const amzDate = lines.find((line) => line.startsWith('x-amz-date:'))?.slice('x-amz-date:'.length);
  const when = lines[3] === '' || lines[3] === undefined ? (amzDate ?? '') : lines[3];
  const isGood = /^\d{9,11}$/.test(when) ? Number(when) * 1000 >= now : isNow(Date.parse(when), now);
  if (!isGood) return false;
  return same(createHmac('sha1', secret).update(text).digest('base64'), signature);
}
