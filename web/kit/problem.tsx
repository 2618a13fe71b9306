// Shows what went wrong: the server's own message, the field it names, and the request id to ask an operator about.
import { Alert, Button, Typography } from 'antd';
import { ApiError } from './api.ts';
import { useText } from './language.tsx';
import { kitText } from './text.ts';

// OpenStack says 403 also where a quota does not suffice.
const OVER_QUOTA = /quota|maximum number/i;

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const t = useText(kitText);
  const known = error instanceof ApiError ? error : null;
  const title =
    known?.status === 0
      ? t.unreachable
      : known?.status === 403 && !OVER_QUOTA.test(known.message)
        ? t.forbidden
        : known?.status === 404
          ? t.notFound
          : t.problem;
  return (
    <Alert
      type="error"
      showIcon
      title={title}
      description={
        <>
          <div style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
            {error instanceof Error ? error.message : String(error)}
          </div>
          {known === null || known.field === null ? null : (
            <div>
              {t.field}: <Typography.Text code>{known.field}</Typography.Text>
            </div>
          )}
          {known === null || known.requestId === null ? null : (
            <Typography.Text type="secondary" copyable={{ text: known.requestId }} style={{ fontSize: 12 }}>
              {t.requestId}: {known.requestId}
            </Typography.Text>
          )}
        </>
      }
      action={
        retry === undefined ? null : (
          <Button size="small" onClick={retry}>
            {t.retry}
          </Button>
        )
      }
    />
  );
}
