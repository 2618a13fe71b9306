// Everything that the state of one server allows, as a menu; each action says first what it takes away.
import { DownOutlined, MoreOutlined } from '@ant-design/icons';
import { useQueryClient } from '@tanstack/react-query';
import { App, Button, Dropdown, Tooltip, Typography, type MenuProps } from 'antd';
import { lazy, Suspense, useState } from 'react';
import { useAction, useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { isOperator, isReader, useSession } from '../../kit/session.ts';
import { actionsText } from './actions-text.ts';
import { allowedActions, isDestructive, type ActionName } from './allowed-actions.ts';
import { isSimple, simpleCalls, type SimpleAction } from './api.ts';
import type { Server, ServerType } from './server.ts';
import { serversText } from './text.ts';

const ActionDialog = lazy(async () => ({ default: (await import('./action-dialogs.tsx')).ActionDialog }));

/** Nothing is lost by these: they are done without asking. */
const HARMLESS: readonly ActionName[] = ['start', 'unpause', 'resume', 'unlock'];

/** Between these, and after what switches power, a menu draws a line. */
const AFTER_POWER: readonly ActionName[][] = [
  [
    'confirmResize',
    'revertResize',
    'resize',
    'rebuild',
    'rescue',
    'unrescue',
    'shelve',
    'shelveOffload',
    'unshelve',
  ],
  ['createImage', 'createBackup', 'snapshotVolumes'],
  ['rename', 'lock', 'unlock', 'crashDump', 'resetState'],
  ['delete', 'forceDelete'],
];
const groupOf = (action: ActionName): number => AFTER_POWER.findIndex((group) => group.includes(action));

function menuItems(
  actions: readonly ActionName[],
  names: Readonly<Record<ActionName, string>>,
): NonNullable<MenuProps['items']> {
  return actions.flatMap((action, at) => {
    const before = actions[at - 1];
    return [
      ...(before !== undefined && groupOf(before) !== groupOf(action)
        ? [{ type: 'divider' as const, key: `before-${action}` }]
        : []),
      { key: action, label: names[action], danger: action === 'delete' || action === 'forceDelete' },
    ];
  });
}

type Props = {
  server: Server;
  type: ServerType | null;
  /** In a row of a list. */
  small?: boolean;
  /** After it was asked to be deleted. */
  onDelete?(): void;
};

export function ServerActions({ server, type, small = false, onDelete }: Props) {
  const t = useText(serversText);
  const a = useText(actionsText);
  const session = useSession();
  const queries = useQueryClient();
  const { message } = App.useApp();
  const confirm = useConfirm();
  const [dialog, setDialog] = useState<ActionName | null>(null);
  const harmless = useAction<SimpleAction>({
    run: async (action) => {
      await simpleCalls[action](server.id);
      void message.success(a.started(a.names[action], server.name));
    },
    refresh: [['servers']],
  });
  const reader = isReader(session);
  const actions = allowedActions(server, type, { operator: isOperator(session), reader });
  const ask = (action: SimpleAction): void => {
    const going = server['os-extended-volumes:volumes_attached'].filter((one) => one.delete_on_termination);
    const deletes = action === 'delete' || action === 'forceDelete';
    confirm({
      title: a.question(a.names[action], server.name),
      content: (
        <>
          <Typography.Paragraph>{a.what[action]}</Typography.Paragraph>
          {deletes && going.length > 0 ? (
            <Typography.Paragraph strong>{a.volumesLost(going.length)}</Typography.Paragraph>
          ) : null}
        </>
      ),
      okText: a.names[action],
      danger: isDestructive(action),
      run: async () => {
        try {
          await simpleCalls[action](server.id);
          void message.success(a.started(a.names[action], server.name));
          if (deletes) onDelete?.();
        } finally {
          void queries.invalidateQueries({ queryKey: ['servers'] });
        }
      },
    });
  };
  const start = (action: ActionName): void => {
    if (!isSimple(action)) setDialog(action);
    else if (HARMLESS.includes(action)) harmless.mutate(action);
    else ask(action);
  };
  const nothing = actions.length === 0;
  const button = (
    <Button
      {...(small
        ? { type: 'text' as const, size: 'small' as const, icon: <MoreOutlined aria-hidden /> }
        : { icon: <DownOutlined aria-hidden />, iconPlacement: 'end' as const })}
      disabled={nothing}
      loading={harmless.isPending}
      aria-label={small ? t.actionsOf(server.name) : undefined}
    >
      {small ? null : t.actions}
    </Button>
  );
  return (
    <>
      {nothing ? (
        <Tooltip title={reader ? t.readOnly : t.noneAllowed}>
          <span>{button}</span>
        </Tooltip>
      ) : (
        <Dropdown
          trigger={['click']}
          menu={{ items: menuItems(actions, a.names), onClick: ({ key }) => start(key as ActionName) }}
        >
          {button}
        </Dropdown>
      )}
      {dialog === null ? null : (
        <Suspense fallback={null}>
          <ActionDialog action={dialog} server={server} type={type} onClose={() => setDialog(null)} />
        </Suspense>
      )}
    </>
  );
}
