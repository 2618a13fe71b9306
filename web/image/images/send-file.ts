// Sends a file as it lies on the disk: the browser reads it while it sends, whatever its size. fetch() cannot tell how
// far a body has come, so this is the one place that uses XMLHttpRequest.
import { ApiError, headersFor, messageOf } from '../../kit/api.ts';
import { currentSession, sessionExpired } from '../../kit/session.ts';

function once(
  path: string,
  file: Blob,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    const session = currentSession();
    const abort = (): void => call.abort();
    call.open('PUT', path);
    for (const [name, value] of Object.entries(headersFor(path))) call.setRequestHeader(name, value);
    call.setRequestHeader('content-type', 'application/octet-stream');
    call.upload.addEventListener('progress', ({ loaded }) => {
      // Who signed out has also stopped what they began.
      if (session !== null && currentSession() === null) call.abort();
      else onSent(loaded);
    });
    call.addEventListener('load', () => resolve(call));
    call.addEventListener('error', () => reject(new ApiError(0, `PUT ${path}`, null)));
    call.addEventListener('abort', () => reject(new DOMException('The upload was stopped.', 'AbortError')));
    call.addEventListener('loadend', () => signal.removeEventListener('abort', abort));
    signal.addEventListener('abort', abort);
    call.send(file);
  });
}

/** Rejects with ApiError; AbortError when `signal` stopped it. */
export async function sendFile(
  path: string,
  file: Blob,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const had = currentSession()?.token;
  let call = await once(path, file, onSent, signal);
  if (call.status === 401 && had !== undefined) {
    await sessionExpired(had);
    call = await once(path, file, onSent, signal);
  }
  if (call.status >= 200 && call.status < 300) return;
  throw new ApiError(
    call.status,
    messageOf(call.responseText, call.status),
    call.getResponseHeader('x-openstack-request-id'),
  );
}
