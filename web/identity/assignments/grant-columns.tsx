// The columns that every list of role assignments has: which role, and the button that takes it.
import { useQueryClient } from '@tanstack/react-query';
import { Button, Tag } from 'antd';
import { useMemo } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import type { Column } from '../../kit/resource-table.tsx';
import { kitText } from '../../kit/text.ts';
import { revokeGrant, type Assignment } from './api.ts';
import { assignmentText } from './text.ts';

/** `called`: the assignment beside the button, for who cannot see its row; `title`: the question before it is taken. */
export function useGrantColumns(
  called: (one: Assignment) => string,
  title: (one: Assignment) => string,
): readonly Column<Assignment>[] {
  const t = useText(assignmentText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  return useMemo(
    () => [
      {
        key: 'role',
        title: t.role,
        render: ({ role, scope }) => (
          <>
            <Tag variant="filled">{role.name}</Tag>
            {scope['OS-INHERIT:inherited_to'] === undefined ? null : t.inherited}
          </>
        ),
        value: ({ role }) => role.name,
        filter: true,
      },
      {
        key: 'actions',
        title: kit.actions,
        width: 110,
        render: (one) => (
          <Button
            type="link"
            danger
            size="small"
            aria-label={`${t.take}: ${called(one)}`}
            onClick={() =>
              confirm({
                title: title(one),
                content: t.takeLoses,
                okText: t.take,
                run: async () => {
                  await revokeGrant(one);
                  await queries.invalidateQueries({ queryKey: ['assignments'] });
                },
              })
            }
          >
            {t.take}
          </Button>
        ),
      },
    ],
    [t, kit, confirm, queries, called, title],
  );
}
