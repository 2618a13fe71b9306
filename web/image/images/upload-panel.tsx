// The uploads of this tab: how far they are, why one stopped, and the button that goes on.
import { CloseOutlined, PauseOutlined, ReloadOutlined } from '@ant-design/icons';
import { useQueryClient } from '@tanstack/react-query';
import { Button, Card, Flex, Progress, Typography } from 'antd';
import { useEffect, useSyncExternalStore } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ResourceLink } from '../../kit/link.tsx';
import { Problem } from '../../kit/problem.tsx';
import { useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { contentPath, forgetImage, statusOf } from './api.ts';
import { sendFile } from './send-file.ts';
import { imageText } from './text.ts';
import { createUploads, isUnderWay, paceOf, type Upload } from './uploads.ts';

export const uploads = createUploads({
  send: (id, file, onSent, signal) => sendFile(contentPath(id), file, onSent, signal),
  statusOf,
  now: Date.now,
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
});

// Leaving the console would end them.
addEventListener('beforeunload', (event) => {
  if (uploads.list().some(isUnderWay)) event.preventDefault();
});

/** Those of the user who is signed in. */
export function useUploads(): readonly Upload[] {
  const list = useSyncExternalStore(uploads.subscribe, uploads.list);
  const { user } = useSession();
  return list.filter(({ userId }) => userId === user.id);
}

const STATUS = {
  waiting: 'active',
  sending: 'active',
  checking: 'active',
  failed: 'exception',
  stopped: 'normal',
  done: 'success',
} as const;

function Row({ upload }: { upload: Upload }) {
  const t = useText(imageText);
  const k = useText(kitText);
  const f = useFormat();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const { id, name, state, sent, file } = upload;
  const percent = file.size === 0 ? 0 : Math.floor((sent / file.size) * 100);
  const pace = state === 'sending' ? paceOf(upload, Date.now()) : null;
  const discard = (): void => {
    if (state === 'done') return uploads.dismiss(id);
    uploads.stop(id);
    confirm({
      title: t.discardTitle(name),
      content: t.discardContent,
      okText: t.discard,
      async run() {
        await forgetImage(id);
        uploads.dismiss(id);
        await queries.invalidateQueries({ queryKey: ['images'] });
      },
    });
  };
  return (
    <Flex vertical gap={4} role="group" aria-label={t.uploadOf(name)}>
      <Flex gap={8} align="center" wrap>
        <Typography.Text strong ellipsis style={{ maxWidth: '40%' }}>
          <ResourceLink to="/images" name={name} id={id} />
        </Typography.Text>
        <Typography.Text type="secondary" style={{ flex: 1 }}>
          {t.uploadState[state]} · {t.sentOf(f.bytes(sent), f.bytes(file.size))}
          {pace === null ? null : ` · ${t.pace(f.bytes(pace.rate), duration(pace.left))}`}
        </Typography.Text>
        {isUnderWay(upload) ? (
          <Button size="small" icon={<PauseOutlined aria-hidden />} onClick={() => uploads.stop(id)}>
            {t.stop}
          </Button>
        ) : null}
        {state === 'failed' || state === 'stopped' ? (
          <Button
            size="small"
            type="primary"
            icon={<ReloadOutlined aria-hidden />}
            onClick={() => void uploads.again(id)}
          >
            {k.retry}
          </Button>
        ) : null}
        <Button
          size="small"
          type="text"
          icon={<CloseOutlined aria-hidden />}
          aria-label={state === 'done' ? t.dismiss(name) : t.discardTitle(name)}
          title={state === 'done' ? t.dismiss(name) : t.discard}
          onClick={discard}
        />
      </Flex>
      <Progress percent={percent} status={STATUS[state]} size="small" aria-label={t.uploadOf(name)} />
      {state === 'failed' ? <Problem error={upload.error} /> : null}
      {state === 'failed' || state === 'stopped' ? (
        <Typography.Text type="secondary">{t.wholeOrNot}</Typography.Text>
      ) : null}
    </Flex>
  );
}

/** Seconds as m:ss or h:mm:ss. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function UploadPanel({ only }: { only?: string }) {
  const t = useText(imageText);
  const queries = useQueryClient();
  const list = useUploads().filter(({ id }) => only === undefined || id === only);
  const ended = list.filter((upload) => !isUnderWay(upload)).length;
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ['images'] });
  }, [ended, queries]);
  if (list.length === 0) return null;
  return (
    <Card size="small" title={t.uploads}>
      <Flex vertical gap={16}>
        {list.map((upload) => (
          <Row key={upload.id} upload={upload} />
        ))}
      </Flex>
    </Card>
  );
}
