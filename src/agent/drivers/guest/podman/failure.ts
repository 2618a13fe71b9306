// Turns what podman says into a DriverError: the public message is ours, podman's own words go to the log.
import { DriverError, type DriverErrorCode } from '../../errors.ts';
import type { Reply } from './client.ts';

export function podmanFailure(
  words: string,
  publicMessage: string,
  code: DriverErrorCode = 'failed',
  cause?: unknown,
): DriverError {
  if (/no space left on device|disk quota exceeded/i.test(words)) {
    return new DriverError(
      'no-space',
      `${publicMessage}: no space left on the host's disk; it is tried again`,
      words,
      cause,
    );
  }
  return new DriverError(code, publicMessage, words, cause);
}

export function replyFailure(reply: Reply, publicMessage: string): DriverError {
  const words = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
  return podmanFailure(`HTTP ${reply.status} ${words}`, publicMessage);
}
