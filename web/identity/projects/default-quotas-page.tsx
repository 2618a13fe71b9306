// The quotas of projects that have no limits of their own.
import { EditOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Typography } from 'antd';
import { useState } from 'react';
import { useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Pending } from '../../kit/pending.tsx';
import { useSession } from '../../kit/session.ts';
import { EditQuotas } from './edit-quotas.tsx';
import { defaultQuotasQuery, setDefaultQuotas } from './quota-api.ts';
import { QuotaCards } from './quota-cards.tsx';
import type { Quotas } from './quotas.ts';
import { projectText } from './text.ts';

function Shown({ quotas }: { quotas: Quotas }) {
  const t = useText(projectText);
  const queries = useQueryClient();
  const [editing, setEditing] = useState(false);
  return (
    <PageFrame
      title={t.defaults}
      extra={
        <Button type="primary" icon={<EditOutlined />} onClick={() => setEditing(true)}>
          {t.editDefaults}
        </Button>
      }
    >
      <Typography.Text type="secondary">{t.defaultsHint}</Typography.Text>
      <QuotaCards quotas={quotas} />
      <EditQuotas
        title={t.editDefaults}
        quotas={{ ...quotas, network: [] }}
        open={editing}
        onClose={() => setEditing(false)}
        save={async (wanted) => {
          try {
            await setDefaultQuotas(quotas, wanted);
          } finally {
            await queries.invalidateQueries({ queryKey: ['quotas'] });
          }
        }}
      />
    </PageFrame>
  );
}

export function DefaultQuotasPage() {
  const t = useText(projectText);
  const session = useSession();
  const query = useQuery(defaultQuotasQuery(session.project?.id ?? 'default'));
  if (query.data !== undefined) return <Shown quotas={query.data} />;
  return (
    <PageFrame title={t.defaults}>
      <Pending query={query} />
    </PageFrame>
  );
}
