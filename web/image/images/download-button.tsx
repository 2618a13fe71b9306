// Downloads the content, and tells how far it is; the same button stops it.
import { DownloadOutlined, StopOutlined } from '@ant-design/icons';
import { App, Button } from 'antd';
import { useRef, useState } from 'react';
import { ActionButton } from '../../kit/action-button.tsx';
import { useAction } from '../../kit/action.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import type { Image } from './api.ts';
import { downloadImage } from './download.ts';
import { imageText } from './text.ts';

export function DownloadButton({ image, why }: { image: Image; why: string | null }) {
  const t = useText(imageText);
  const f = useFormat();
  const stop = useRef<AbortController | null>(null);
  const [bytes, setBytes] = useState(0);
  const { message } = App.useApp();
  const download = useAction({
    refresh: [],
    async run() {
      stop.current = new AbortController();
      setBytes(0);
      try {
        await downloadImage(image, setBytes, stop.current.signal);
        // Its user may have left this page meanwhile.
        message.success(t.downloaded(image.name ?? image.id));
      } catch (error) {
        if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
      }
    },
  });
  if (download.isPending)
    return (
      <Button icon={<StopOutlined aria-hidden />} onClick={() => stop.current?.abort()}>
        {t.stopDownload(f.bytes(bytes))}
      </Button>
    );
  return (
    <ActionButton why={why} icon={<DownloadOutlined aria-hidden />} onClick={() => download.mutate()}>
      {t.download}
    </ActionButton>
  );
}
