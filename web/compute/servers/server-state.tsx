// The state of a server in a line: its status, and the task that is under way.
import { LockOutlined } from '@ant-design/icons';
import { Flex, Tooltip, Typography } from 'antd';
import { useCallback } from 'react';
import { useText } from '../../kit/language.tsx';
import { StateTag } from '../../kit/state.tsx';
import type { Server } from './server.ts';
import { nameIn, statesText } from './states-text.ts';
import { serversText } from './text.ts';

/** Words of the status, for sorting and filters too. */
export const useStatusName = (): ((status: string) => string) => {
  const { statuses } = useText(statesText);
  return useCallback((status) => nameIn(statuses, status), [statuses]);
};

export function ServerState({
  server,
}: {
  server: Pick<Server, 'status' | 'locked' | 'locked_reason' | 'OS-EXT-STS:task_state'>;
}) {
  const { statuses, tasks } = useText(statesText);
  const t = useText(serversText);
  const task = server['OS-EXT-STS:task_state'];
  return (
    <Flex gap={4} align="center">
      <StateTag state={task === null ? server.status : 'building'}>
        {nameIn(statuses, server.status)}
      </StateTag>
      {task === null || server.status === 'BUILD' || server.status === 'REBUILD' ? null : (
        <Typography.Text type="secondary">{nameIn(tasks, task)}</Typography.Text>
      )}
      {server.locked ? (
        <Tooltip title={server.locked_reason ?? t.locked}>
          <LockOutlined aria-label={t.locked} />
        </Tooltip>
      ) : null}
    </Flex>
  );
}
