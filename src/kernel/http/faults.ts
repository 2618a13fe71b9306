// How each family of services writes an error. Clients parse these, so the shapes are the reference's own.
import type { CloudError } from '../errors.ts';

export type Fault = (error: CloudError, requestId: string) => { contentType: string; body: string };

const json = (value: unknown) => ({ contentType: 'application/json', body: JSON.stringify(value) });

const titles: Readonly<Record<number, string>> = {
  300: 'Multiple Choices',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};
const titleOf = (status: number): string => titles[status] ?? 'Error';

/** {"error": {"code", "title", "message"}} */
export const keystoneFault: Fault = (error) =>
  json({ error: { code: error.status, title: titleOf(error.status), message: error.publicMessage } });

const novaNames: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  406: 'notAcceptable',
  409: 'conflictingRequest',
  413: 'overLimit',
  414: 'badRequest',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};
/** {"itemNotFound": {"code", "message"}}: Nova and Cinder. */
export const novaFault: Fault = (error) =>
  json({ [novaNames[error.status] ?? 'computeFault']: { code: error.status, message: error.publicMessage } });

/** {"NeutronError": {"type", "message", "detail"}} */
export const neutronFault: Fault = (error) =>
  json({ NeutronError: { type: error.code, message: error.publicMessage, detail: '' } });

/** {"errors": [{"status", "title", "detail", "request_id"}]} */
export const placementFault: Fault = (error, requestId) =>
  json({
    errors: [
      {
        status: error.status,
        title: titleOf(error.status),
        detail: error.publicMessage,
        code: 'placement.undefined_code',
        request_id: requestId,
      },
    ],
  });

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
/** The HTML page that Glance answers with; its clients take the text out of it. */
export const glanceFault: Fault = (error) => {
  const title = `${error.status} ${titleOf(error.status)}`;
  return {
    contentType: 'text/html; charset=UTF-8',
    body: `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n  ${escapeHtml(error.publicMessage)}<br /><br />\n\n\n </body>\n</html>`,
  };
};
