// The quotas of a project: what is in use, and the limits to change.
import { EditOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button, Flex } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { Pending } from '../../kit/pending.tsx';
import type { Project } from './api.ts';
import { EditQuotas } from './edit-quotas.tsx';
import { quotasQuery, resetQuotas, setQuotas } from './quota-api.ts';
import { QuotaCards } from './quota-cards.tsx';
import { projectText } from './text.ts';

export function QuotasTab({ project }: { project: Project }) {
  const t = useText(projectText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(quotasQuery(project.id));
  const [editing, setEditing] = useState(false);
  if (query.data === undefined) return <Pending query={query} />;
  const quotas = query.data;
  return (
    <Flex vertical gap={16}>
      <Flex gap={8} wrap>
        <Button icon={<EditOutlined />} onClick={() => setEditing(true)}>
          {t.editQuotas}
        </Button>
        <Button
          onClick={() =>
            confirm({
              title: t.resetTitle(project.name),
              content: t.resetLoses,
              okText: t.reset,
              run: async () => {
                await resetQuotas(project.id);
                await queries.invalidateQueries({ queryKey: ['quotas', project.id] });
              },
            })
          }
        >
          {t.reset}
        </Button>
      </Flex>
      <QuotaCards quotas={quotas} />
      <EditQuotas
        title={t.editQuotas}
        quotas={quotas}
        open={editing}
        onClose={() => setEditing(false)}
        save={async (wanted) => {
          try {
            await setQuotas(project.id, quotas, wanted);
          } finally {
            await queries.invalidateQueries({ queryKey: ['quotas', project.id] });
          }
        }}
      />
    </Flex>
  );
}
