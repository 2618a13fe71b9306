// The state of an image in words, with what this tab is sending for it.
import { Flex, Typography } from 'antd';
import { useText } from '../../kit/language.tsx';
import { StateTag } from '../../kit/state.tsx';
import type { Image } from './api.ts';
import { imageText } from './text.ts';
import { useUploads } from './upload-panel.tsx';

export function ImageState({ image }: { image: Image }) {
  const t = useText(imageText);
  const upload = useUploads().find(({ id, state }) => id === image.id && state !== 'done');
  const states: Readonly<Record<string, string>> = t.states;
  // Queued without an upload is no work under way: it waits for its content.
  if (image.status === 'queued' && (upload === undefined || ['failed', 'stopped'].includes(upload.state)))
    return <StateTag state="paused">{t.states.queued}</StateTag>;
  return (
    <Flex gap={4} align="center">
      <StateTag state={image.status}>{states[image.status] ?? image.status}</StateTag>
      {upload === undefined || upload.file.size === 0 ? null : (
        <Typography.Text type="secondary">
          {Math.floor((upload.sent / upload.file.size) * 100)}
          {'%'}
        </Typography.Text>
      )}
    </Flex>
  );
}
