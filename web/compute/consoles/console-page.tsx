// One console in a window of its own.
import { useQuery } from '@tanstack/react-query';
import { useParams, useSearch } from '@tanstack/react-router';
import { Flex, Segmented, Spin, Typography } from 'antd';
import { useEffect, useState } from 'react';
import { useText } from '../../kit/language.tsx';
import { Problem } from '../../kit/problem.tsx';
import { imageQuery, serverQuery } from '../servers/api.ts';
import { typeOfImage } from '../servers/server.ts';
import { ConsoleLog } from './console-log.tsx';
import { GraphicalConsole } from './graphical-console.tsx';
import { SerialConsole } from './serial-console.tsx';
import { consolesText } from './text.ts';

const kindsOf = {
  vm: ['novnc', 'serial', 'log'],
  container: ['shell', 'log'],
} as const;
type Kind = 'novnc' | 'serial' | 'shell' | 'log';
const isKind = (value: unknown): value is Kind =>
  ['novnc', 'serial', 'shell', 'log'].includes(value as string);

function One({ serverId, kind }: { serverId: string; kind: Kind }) {
  if (kind === 'log') return <ConsoleLog serverId={serverId} />;
  if (kind === 'novnc') return <GraphicalConsole serverId={serverId} alone />;
  return <SerialConsole serverId={serverId} kind={kind} alone key={kind} />;
}

export function ConsolePage() {
  const t = useText(consolesText);
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const asked = (useSearch({ strict: false }) as { kind?: unknown }).kind;
  const [chosen, choose] = useState<Kind | null>(isKind(asked) ? asked : null);
  const server = useQuery(serverQuery(id));
  const imageId = server.data === undefined || server.data.image === '' ? '' : server.data.image.id;
  const image = useQuery({ ...imageQuery(imageId), enabled: imageId !== '' });
  const name = server.data?.name ?? '';
  useEffect(() => {
    document.title = `${name} · Strata`;
  }, [name]);
  if (server.error !== null)
    return (
      <main className="console-window" id="content">
        <Problem error={server.error} retry={() => void server.refetch()} />
      </main>
    );
  // A server whose image is gone or not to be seen is taken for what has been asked for.
  if (server.data === undefined || (imageId !== '' && image.isPending)) return <Spin className="pending" />;
  const type = image.data === undefined ? (chosen === 'shell' ? 'container' : 'vm') : typeOfImage(image.data);
  const kinds: readonly Kind[] = kindsOf[type];
  const kind = chosen !== null && kinds.includes(chosen) ? chosen : (kinds[0] ?? 'log');
  return (
    <main className="console-window" id="content">
      <Flex gap={12} align="center" wrap>
        <Typography.Title level={1} className="page-title">
          {t.consoleOf(t.kinds[kind], name)}
        </Typography.Title>
        <Segmented
          value={kind}
          onChange={choose}
          options={kinds.map((value) => ({ value, label: t.kinds[value] }))}
        />
      </Flex>
      <One serverId={id} kind={kind} />
    </main>
  );
}
