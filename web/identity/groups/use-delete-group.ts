// Deleting a group: its members lose what came with it.
import { useQueryClient } from '@tanstack/react-query';
import { useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { deleteGroup, type Group } from './api.ts';
import { groupText } from './text.ts';

export function useDeleteGroup(): (group: Group, after: () => void) => void {
  const t = useText(groupText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  return (group, after) =>
    confirm({
      title: t.deleteTitle(group.name),
      content: t.deleteLoses,
      okText: kit.delete,
      run: async () => {
        await deleteGroup(group.id);
        after();
        await Promise.all(
          [['groups'], ['assignments']].map((queryKey) => queries.invalidateQueries({ queryKey })),
        );
      },
    });
}
