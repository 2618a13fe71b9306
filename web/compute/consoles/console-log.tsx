// The console log of a server, which follows what is written as long as its reader is at the end.
import { DownloadOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Button, Empty, Flex, Select, Spin, Switch } from 'antd';
import { useLayoutEffect, useRef, useState } from 'react';
import { useText } from '../../kit/language.tsx';
import { Problem } from '../../kit/problem.tsx';
import { consoleLogQuery } from './api.ts';
import { plainLog } from './connection.ts';
import { FullScreenButton, useFullScreen } from './frame.tsx';
import { consolesText } from './text.ts';
import './consoles.css';

const AMOUNTS = [200, 1_000, 5_000] as const;
/** Pixels from the end at which a reader still is at it. */
const NEAR = 40;

function save(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function ConsoleLog({ serverId }: { serverId: string }) {
  const t = useText(consolesText);
  const [lines, setLines] = useState<number | null>(AMOUNTS[0]);
  const [follow, setFollow] = useState(true);
  const { data, error, isPending, refetch } = useQuery(consoleLogQuery(serverId, lines, follow));
  const { whole, full, toggle } = useFullScreen();
  const log = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  const text = plainLog(data ?? '');
  useLayoutEffect(() => {
    if (follow && atEnd.current) log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [text, follow]);
  return (
    <div className="console" ref={whole}>
      <Flex gap={12} align="center" wrap className="console-tools">
        <Flex gap={8} align="center">
          <Switch id="follow-log" checked={follow} onChange={setFollow} />
          <label htmlFor="follow-log">{t.follow}</label>
        </Flex>
        <Select
          aria-label={t.howMuch}
          value={lines ?? 0}
          onChange={(count) => setLines(count === 0 ? null : count)}
          options={[
            ...AMOUNTS.map((count) => ({ value: count, label: t.lines(count) })),
            { value: 0, label: t.everything },
          ]}
          style={{ minWidth: 160 }}
        />
        <span className="console-hint" />
        <Button
          icon={<DownloadOutlined />}
          disabled={text === ''}
          onClick={() => save(`${serverId}.log`, data ?? '')}
        >
          {t.download}
        </Button>
        <FullScreenButton full={full} toggle={toggle} />
      </Flex>
      {error === null ? null : <Problem error={error} retry={() => void refetch()} />}
      {isPending ? <Spin /> : null}
      {data === undefined ? null : text === '' ? (
        <Empty description={t.emptyLog} />
      ) : (
        <pre
          className="console-log"
          ref={log}
          // It scrolls: whoever has no mouse must get there.
          tabIndex={0}
          role="log"
          aria-label={t.log}
          onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
            atEnd.current = scrollTop + clientHeight >= scrollHeight - NEAR;
          }}
        >
          {text}
        </pre>
      )}
    </div>
  );
}
