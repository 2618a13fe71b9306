// Enabling, disabling and deleting users.
import { useQueryClient } from '@tanstack/react-query';
import { forEach, useAction, useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { deleteUser, updateUser, type User } from './api.ts';
import { userText } from './text.ts';

export function useUserActions() {
  const t = useText(userText);
  const kit = useText(kitText);
  const confirm = useConfirm();
  const session = useSession();
  const queries = useQueryClient();
  const again = (): Promise<unknown> =>
    Promise.all([['users'], ['assignments']].map((queryKey) => queries.invalidateQueries({ queryKey })));
  const enable = useAction<User>({
    run: ({ id }) => updateUser(id, { enabled: true }),
    refresh: [['users']],
    done: t.changed,
  });
  return {
    /** Why nothing may happen to it; null: it may. */
    refusal: (user: User): string | null => (user.id === session.user.id ? t.own : null),
    enable: (user: User) => enable.mutate(user),
    disable: (user: User) =>
      confirm({
        title: t.disableTitle(user.name),
        content: t.disableLoses,
        okText: t.disable,
        run: async () => {
          await updateUser(user.id, { enabled: false });
          await again();
        },
      }),
    remove: (users: readonly User[], after: () => void) => {
      const [one] = users;
      if (one === undefined) return;
      confirm({
        title: users.length === 1 ? t.deleteTitle(one.name) : t.deleteMany(users.length),
        content: t.deleteLoses,
        okText: kit.delete,
        run: async () => {
          try {
            await forEach(users, ({ id }) => deleteUser(id));
            after();
          } finally {
            await again();
          }
        },
      });
    },
  };
}
