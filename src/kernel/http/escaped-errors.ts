// What users are told of errors that nobody meant for them: of the framework, of the database, of a defect.
import { isDatabaseBusy, isDiskFull } from '../db/index.ts';
import { CloudError } from '../errors.ts';

/** What escaped as something else than a CloudError, as the user may see it. */
export function asCloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new CloudError(413, 'RequestTooLarge', 'The request body is larger than this API takes.');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new CloudError(
      415,
      'UnsupportedMediaType',
      'The content type of the request is not supported; send application/json.',
    );
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new CloudError(
      statusCode,
      'BadRequest',
      'The request could not be read: its line, headers or body are malformed.',
    );
  if (isDiskFull(error))
    return new CloudError(
      503,
      'InsufficientStorage',
      'The cloud has no disk space left to record this change; nothing was changed. Ask the operator to free space.',
      { cause: error },
    );
  if (isDatabaseBusy(error))
    return new CloudError(
      503,
      'ServiceUnavailable',
      'The database of the cloud does not answer or is too busy; nothing was changed. Try again in a moment.',
      { cause: error, headers: { 'retry-after': '5' } },
    );
  return new CloudError(
    500,
    'InternalError',
    'An unexpected error prevented the server from fulfilling your request; the request id names it in the log.',
    { cause: error },
  );
}
