// Fetches image content from the web for users, as far as the operator allows it. What a name resolves to is checked where
// the connection is made, and every redirect is a new address that must pass the same rules: a user never reaches what
// only this machine can reach.
import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import ipaddr from 'ipaddr.js';
import type { Clock } from '../../../kernel/clock.ts';
import { badRequest, CloudError } from '../../../kernel/errors.ts';

/** One entry of the operator's list: `https://images.example.org`, `https://*.example.org:8443`, `https://*`. */
export type Source = { protocol: string; host: string; port: string };

export type Resolver = (
  host: string,
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

const resolveBySystem: Resolver = (host, done) =>
  systemLookup(host, { all: true }, (error, addresses) => done(error, error === null ? addresses : []));

const MAX_REDIRECTS = 5;
/** Milliseconds: for an answer to begin, for it to go on, and for all of it. */
const ANSWER_MS = 30_000;
const IDLE_MS = 60_000;
const TOTAL_MS = 6 * 3_600_000;

const bare = (host: string): string => host.replace(/^\[|\]$/g, '').toLowerCase();
const portOf = (url: URL): string =>
  url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;

/** Throws what is wrong with an entry. */
export function parseSource(entry: string): Source {
  const url = URL.canParse(entry) ? new URL(entry) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    !['', '/'].includes(url.pathname) ||
    url.search !== '' ||
    !/^(\*|(\*\.)?[^*]+)$/.test(url.hostname)
  )
    throw new Error(
      `${entry} is no source of images: it must be http or https, a host or *.domain or *, and maybe a port`,
    );
  return { protocol: url.protocol, host: bare(url.hostname), port: portOf(url) };
}

const matchesHost = (pattern: string, host: string): boolean =>
  pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));

/** The entry that lets it through, or null. */
const sourceFor = (sources: readonly Source[], url: URL): Source | null =>
  sources.find(
    (source) =>
      source.protocol === url.protocol &&
      source.port === portOf(url) &&
      matchesHost(source.host, bare(url.hostname)),
  ) ?? null;

/** Neither private nor loopback, link-local, shared, reserved, or a way around those (mapped, translated, tunnelled). */
function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return parsed.range() === 'unicast';
}

/** 400 when it is no address that may be fetched; returns it as it is asked for. */
export function checkUri(sources: readonly Source[], uri: string): URL {
  const url = URL.canParse(uri) ? new URL(uri) : null;
  const shown = uri.slice(0, 200);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw badRequest(`Invalid input for uri. Value: ${shown}. It must be an http or https address.`);
  if (url.username !== '' || url.password !== '')
    throw badRequest('Invalid input for uri. It must not hold a user name or a password.');
  if (sourceFor(sources, url) === null)
    throw badRequest(
      `Invalid input for uri. Value: ${shown}. The operator does not allow images to be downloaded from there.`,
    );
  return url;
}

/** The address that an entry names itself is the operator's own word; any other must be public. */
const mayReach = (source: Source, address: string): boolean =>
  source.host === address.toLowerCase() || isPublicAddress(address);

const blocked = (url: URL): CloudError =>
  badRequest(
    `${url.origin} leads to an address that is not public; images are not downloaded from there.`,
    'AddressNotAllowed',
  );

function guardedLookup(url: URL, source: Source, resolve: Resolver): LookupFunction {
  return (host, options, done) =>
    resolve(host, (error, addresses) => {
      // One address that is not public makes the name suspect as a whole.
      const refusal =
        error ?? (addresses.every(({ address }) => mayReach(source, address)) ? null : blocked(url));
      const [first] = addresses;
      if (refusal !== null || first === undefined)
        return done((refusal ?? new Error(`${host} has no address`)) as NodeJS.ErrnoException, '', 0);
      if (options.all === true) return done(null, addresses as never);
      return done(null, first.address, first.family);
    });
}

export type DownloadOptions = {
  clock: Clock;
  /** Bytes; more is refused as soon as it is known. */
  maxBytes: number;
  resolve?: Resolver;
};

const failed = (url: URL, why: string): CloudError =>
  badRequest(`Image content could not be downloaded from ${url.origin}: ${why}.`, 'DownloadFailed');

/** The content; throws CloudError with the reason why not. Destroy it when it is not read to its end. */
export async function download(
  sources: readonly Source[],
  uri: string,
  options: DownloadOptions,
): Promise<Readable> {
  let url = checkUri(sources, uri);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const answer = await ask(sources, url, options);
    const status = answer.statusCode ?? 0;
    if (status === 200) {
      const length = Number(answer.headers['content-length'] ?? 0);
      if (length > options.maxBytes) {
        answer.destroy();
        throw failed(url, `it is ${length} bytes, and ${options.maxBytes} are allowed`);
      }
      return answer;
    }
    answer.destroy();
    const { location } = answer.headers;
    if (status < 300 || status > 399 || location === undefined)
      throw failed(url, `it answered with status ${status}`);
    if (!URL.canParse(location, url.href)) throw failed(url, 'it redirects to no address');
    url = checkUri(sources, new URL(location, url).href);
  }
  throw failed(url, `there are more than ${MAX_REDIRECTS} redirects`);
}

function ask(sources: readonly Source[], url: URL, options: DownloadOptions): Promise<IncomingMessage> {
  const source = sourceFor(sources, url);
  const host = bare(url.hostname);
  if (source === null || (isIP(host) !== 0 && !mayReach(source, host))) throw blocked(url);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((answer, refuse) => {
    const request = send(url, {
      method: 'GET',
      // A connection of its own: one that is kept would skip the check of the address.
      agent: false,
      lookup: guardedLookup(url, source, options.resolve ?? resolveBySystem),
      headers: { 'user-agent': 'strata', accept: '*/*', 'accept-encoding': 'identity' },
    });
    const give = (why: string) => (): void => void request.destroy(failed(url, why));
    const cancelTotal = options.clock.timer(TOTAL_MS, give('it takes too long'));
    const cancelAnswer = options.clock.timer(ANSWER_MS, give('there is no answer'));
    request.setTimeout(IDLE_MS, give('nothing comes any more'));
    request.on('close', () => {
      cancelAnswer();
      cancelTotal();
    });
    request.on('error', (error) => {
      cancelAnswer();
      refuse(
        error instanceof CloudError
          ? error
          : failed(url, (error as NodeJS.ErrnoException).code ?? error.message),
      );
    });
    request.on('response', (response) => {
      cancelAnswer();
      answer(response);
    });
    request.end();
  });
}
