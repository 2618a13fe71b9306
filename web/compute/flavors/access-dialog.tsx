// Which projects may use a flavor that is not public.
import { useQuery } from '@tanstack/react-query';
import { Button, Empty, Flex, Modal, Skeleton } from 'antd';
import { useState } from 'react';
import { useAction } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ProjectInput, useProjectNames } from '../../kit/project-input.tsx';
import { kitText } from '../../kit/text.ts';
import { accessQuery, setAccess, type Flavor } from './api.ts';
import { flavorText } from './text.ts';

export function AccessDialog({ flavor, onClose }: { flavor: Flavor | null; onClose(): void }) {
  const t = useText(flavorText);
  const k = useText(kitText);
  const names = useProjectNames();
  const [project, setProject] = useState('');
  const id = flavor?.id ?? '';
  const access = useQuery({ ...accessQuery(id), enabled: flavor !== null });
  const change = useAction<{ project: string; allowed: boolean }>({
    refresh: [['flavors', 'access', id]],
    async run({ project: which, allowed }) {
      await setAccess(id, which, allowed);
      setProject('');
    },
  });
  return (
    <Modal
      open={flavor !== null}
      title={t.accessTitle(flavor?.name ?? '')}
      onCancel={onClose}
      footer={<Button onClick={onClose}>{t.done}</Button>}
    >
      <Flex vertical gap={12}>
        <Flex gap={8}>
          <div style={{ flex: 1 }}>
            <ProjectInput label={k.project} value={project} onChange={setProject} />
          </div>
          <Button
            type="primary"
            disabled={project === ''}
            loading={change.isPending}
            onClick={() => change.mutate({ project, allowed: true })}
          >
            {t.allow}
          </Button>
        </Flex>
        {access.error === null ? null : <Problem error={access.error} retry={() => void access.refetch()} />}
        {access.isPending ? <Skeleton active /> : null}
        {access.data?.length === 0 ? (
          <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t.nobody} />
        ) : null}
        {(access.data ?? []).map((one) => (
          <Flex key={one} justify="space-between" align="center" gap={8}>
            <span title={one}>{names.get(one) ?? one}</span>
            <Button
              size="small"
              danger
              aria-label={t.forbidFor(names.get(one) ?? one)}
              onClick={() => change.mutate({ project: one, allowed: false })}
            >
              {t.forbid}
            </Button>
          </Flex>
        ))}
      </Flex>
    </Modal>
  );
}
