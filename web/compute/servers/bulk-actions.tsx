// What can be done to the servers that are selected: each action for those whose state allows it.
import { DownOutlined } from '@ant-design/icons';
import { useQueryClient } from '@tanstack/react-query';
import { Button, Dropdown, Flex, Typography } from 'antd';
import { useConfirm } from '../../kit/action.tsx';
import { useText } from '../../kit/language.tsx';
import { isOperator, isReader, useSession } from '../../kit/session.ts';
import { actionsText } from './actions-text.ts';
import { allowedActions, isDestructive } from './allowed-actions.ts';
import { simpleCalls, type SimpleAction } from './api.ts';
import { repeatable } from './bulk.ts';
import { typeOf, type ImageKind, type Server } from './server.ts';
import { serversText } from './text.ts';

const OFFERED = [
  'start',
  'stop',
  'softReboot',
  'hardReboot',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'shelve',
  'unshelve',
  'confirmResize',
  'revertResize',
  'unlock',
  'delete',
] as const satisfies readonly SimpleAction[];

const MOST_NAMES = 12;

function Names({ servers }: { servers: readonly Server[] }) {
  const t = useText(serversText);
  return (
    <Typography.Paragraph>
      {servers
        .slice(0, MOST_NAMES)
        .map(({ name }) => name)
        .join(', ')}
      {servers.length > MOST_NAMES ? ` ${t.andMore(servers.length - MOST_NAMES)}` : null}
    </Typography.Paragraph>
  );
}

export function BulkActions({
  servers,
  images,
  clear,
}: {
  servers: readonly Server[];
  images: ReadonlyMap<string, ImageKind>;
  clear(): void;
}) {
  const t = useText(serversText);
  const a = useText(actionsText);
  const session = useSession();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const asker = { operator: isOperator(session), reader: isReader(session) };
  const allowed = servers.map(
    (server) => new Set<string>(allowedActions(server, typeOf(server, images), asker)),
  );
  const able = (action: SimpleAction): Server[] => servers.filter((_, at) => allowed[at]?.has(action));

  const ask = (action: SimpleAction): void => {
    const chosen = able(action);
    const skipped = servers.filter((server) => !chosen.includes(server));
    const run = repeatable(chosen, ({ id }) => simpleCalls[action](id));
    confirm({
      title: a.question(a.names[action], t.bulkServers(chosen.length)),
      content: (
        <>
          <Names servers={chosen} />
          <Typography.Paragraph>{a.what[action]}</Typography.Paragraph>
          {skipped.length === 0 ? null : (
            <Typography.Paragraph type="secondary">
              {t.bulkSkipped(
                skipped
                  .slice(0, MOST_NAMES)
                  .map(({ name }) => name)
                  .join(', '),
              )}
            </Typography.Paragraph>
          )}
        </>
      ),
      okText: a.names[action],
      danger: isDestructive(action),
      run: async () => {
        try {
          await run();
          clear();
        } finally {
          void queries.invalidateQueries({ queryKey: ['servers', 'list'] });
        }
      },
    });
  };
  const items = OFFERED.flatMap((action) => {
    const { length } = able(action);
    return length === 0
      ? []
      : [{ key: action, label: `${a.names[action]} (${length})`, danger: action === 'delete' }];
  });
  return (
    <Flex gap={8} wrap>
      <Dropdown
        trigger={['click']}
        disabled={items.length === 0}
        menu={{ items, onClick: ({ key }) => ask(key as SimpleAction) }}
      >
        <Button
          icon={<DownOutlined aria-hidden />}
          iconPlacement="end"
          title={items.length === 0 ? t.noneAllowed : ''}
        >
          {t.actions}
        </Button>
      </Dropdown>
    </Flex>
  );
}
