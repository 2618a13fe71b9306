// Gives an image that still waits for it its content: after a page was closed, or an import failed.
import { Button, Flex, Modal, Typography, Upload } from 'antd';
import { InboxOutlined } from '@ant-design/icons';
import { useState } from 'react';
import { useText } from '../../kit/language.tsx';
import { useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import type { Image } from './api.ts';
import { imageText } from './text.ts';
import { uploads } from './upload-panel.tsx';

export function ContentDialog({ image, onClose }: { image: Image | null; onClose(): void }) {
  const t = useText(imageText);
  const k = useText(kitText);
  const { user } = useSession();
  const [file, setFile] = useState<File | null>(null);
  const close = (): void => {
    setFile(null);
    onClose();
  };
  if (image === null) return null;
  return (
    <Modal
      open
      title={t.uploadTo(image.name ?? image.id)}
      onCancel={close}
      footer={
        <Flex gap={8} justify="end">
          <Button onClick={close}>{k.cancel}</Button>
          <Button
            type="primary"
            disabled={file === null}
            onClick={() => {
              if (file !== null)
                void uploads.start({ id: image.id, name: image.name ?? image.id, file, userId: user.id });
              close();
            }}
          >
            {t.upload}
          </Button>
        </Flex>
      }
    >
      <Flex vertical gap={12}>
        <Typography.Text type="secondary">
          {t.contentHint(image.container_format === 'docker' ? t.kinds.container : (image.disk_format ?? ''))}
        </Typography.Text>
        <Upload.Dragger
          maxCount={1}
          beforeUpload={(chosen) => {
            setFile(chosen);
            return false;
          }}
          onRemove={() => setFile(null)}
          fileList={file === null ? [] : [{ uid: '1', name: file.name }]}
        >
          <InboxOutlined style={{ fontSize: 28 }} />
          <div>{t.drop}</div>
        </Upload.Dragger>
      </Flex>
    </Modal>
  );
}
