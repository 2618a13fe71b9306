// The consoles of a server as tabs: which there are depends on what the server is.
import { Skeleton, type TabsProps } from 'antd';
import { lazy, Suspense, type ReactNode } from 'react';
import { useText } from '../../../kit/language.tsx';
import { isReader, useSession } from '../../../kit/session.ts';
import type { ServerType } from '../server.ts';
import { detailText } from './text.ts';

const load = () => import('../../consoles/index.tsx');
const ConsoleLog = lazy(async () => ({ default: (await load()).ConsoleLog }));
const GraphicalConsole = lazy(async () => ({ default: (await load()).GraphicalConsole }));
const SerialConsole = lazy(async () => ({ default: (await load()).SerialConsole }));

const kinds = {
  vm: ['screen', 'console', 'log'],
  container: ['shell', 'log'],
} as const satisfies Record<ServerType, readonly string[]>;
type Kind = (typeof kinds)[ServerType][number];

/** Of a server whose kind nobody knows there is at least what both have. */
const kindsOf = (type: ServerType | null): readonly Kind[] => (type === null ? ['log'] : kinds[type]);

export function useConsoleTabs(serverId: string, type: ServerType | null): NonNullable<TabsProps['items']> {
  const t = useText(detailText);
  const session = useSession();
  const shown: Readonly<Record<Kind, ReactNode>> = {
    screen: <GraphicalConsole serverId={serverId} />,
    console: <SerialConsole serverId={serverId} kind="serial" />,
    shell: <SerialConsole serverId={serverId} kind="shell" />,
    log: <ConsoleLog serverId={serverId} />,
  };
  // Consoles and logs are for who may change the server.
  if (isReader(session)) return [];
  return kindsOf(type).map((kind) => ({
    key: kind,
    label: t.tabs[kind],
    children: <Suspense fallback={<Skeleton active />}>{shown[kind]}</Suspense>,
  }));
}
