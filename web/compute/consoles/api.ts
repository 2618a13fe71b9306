// What consoles ask of the API.
import { queryOptions } from '@tanstack/react-query';
import { api } from '../../kit/api.ts';
import { BUSY_MS } from '../../kit/live.ts';
import { protocolOf, socketAddress, type ConsoleType } from './connection.ts';

const SERVERS = '/compute/v2.1/servers';

/** The WebSocket of a new console. Its address opens one connection, soon. */
export async function openConsole(serverId: string, type: ConsoleType): Promise<string> {
  const { remote_console } = await api.post<{ remote_console: { url: string } }>(
    `${SERVERS}/${serverId}/remote-consoles`,
    { remote_console: { protocol: protocolOf(type), type } },
  );
  const address = socketAddress(remote_console.url, location.origin);
  if (address === null) throw new Error(`The cloud answered no address of a console: ${remote_console.url}`);
  return address;
}

/** `lines` null: all that the host keeps. */
export const consoleLogQuery = (serverId: string, lines: number | null, follow: boolean) =>
  queryOptions({
    queryKey: ['servers', 'one', serverId, 'console-log', lines],
    queryFn: async () =>
      (
        await api.post<{ output: string }>(`${SERVERS}/${serverId}/action`, {
          'os-getConsoleOutput': lines === null ? {} : { length: lines },
        })
      ).output,
    refetchInterval: ({ state: { error } }) => (follow && error === null ? BUSY_MS : false),
    placeholderData: (before: string | undefined) => before,
  });
