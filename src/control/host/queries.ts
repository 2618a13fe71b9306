// What a host cannot do is anticipated: its failures reach the services as theirs, apart from defects of programs.
import { CloudError } from '../../kernel/errors.ts';
import { HOST_ERROR, type HostQueries } from '../../protocol/link.ts';

const asAnticipated = (error: unknown): unknown =>
  error instanceof Error && error.name === HOST_ERROR
    ? new CloudError(503, 'ServiceUnavailable', error.message, {
        cause: error,
        headers: { 'retry-after': '5' },
      })
    : error;

/** The same queries, that reject with a CloudError (503) where the host says why it cannot answer. */
export const anticipated = (queries: HostQueries): HostQueries =>
  new Proxy(queries, {
    get(target, name: keyof HostQueries) {
      const query = target[name] as ((...args: unknown[]) => Promise<unknown>) | undefined;
      return query === undefined
        ? undefined
        : (...args: unknown[]) =>
            query.apply(target, args).catch((error: unknown) => {
              throw asAnticipated(error);
            });
    },
  });
