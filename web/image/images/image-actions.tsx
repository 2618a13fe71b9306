// What can be done to an image, in its row and on its page.
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { MenuItems } from '../../kit/action-button.tsx';
import { useAction, useConfirm } from '../../kit/action.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { isOperator, isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { deleteImage, setActive, type Image } from './api.ts';
import { imageText } from './text.ts';
import { uploads } from './upload-panel.tsx';

/** Why the user may not change the image; null: they may. */
export function useWhyNot(): (image: Image) => string | null {
  const t = useText(imageText);
  const k = useText(kitText);
  const session = useSession();
  return (image) =>
    isReader(session)
      ? k.readOnlyRole
      : image.owner !== session.project?.id && !isOperator(session)
        ? t.notYours
        : null;
}

export function useDelete(): (image: Image, done?: () => void) => void {
  const t = useText(imageText);
  const k = useText(kitText);
  const f = useFormat();
  const confirm = useConfirm();
  const queries = useQueryClient();
  return (image, done) =>
    confirm({
      title: t.deleteTitle(image.name ?? image.id),
      content: t.deleteContent(image.size === null ? null : f.bytes(image.size)),
      okText: k.delete,
      async run() {
        await deleteImage(image.id);
        uploads.dismiss(image.id);
        done?.();
        await queries.invalidateQueries({ queryKey: ['images', 'list'] });
      },
    });
}

export function useImageActions({
  onEdit,
  onUpload,
  onDeleted,
}: {
  onEdit(image: Image): void;
  onUpload(image: Image): void;
  onDeleted?(): void;
}): (image: Image) => MenuItems {
  const t = useText(imageText);
  const k = useText(kitText);
  const navigate = useNavigate();
  const whyNot = useWhyNot();
  const remove = useDelete();
  const activate = useAction<Image>({
    refresh: [['images']],
    run: (image) => setActive(image.id, image.status === 'deactivated'),
  });
  const session = useSession();
  return (image) => {
    const why = whyNot(image);
    const notReady = image.status === 'active' ? null : t.notReady;
    return [
      {
        key: 'server',
        label: t.createServer,
        why: isReader(session) ? k.readOnlyRole : notReady,
        run: () => void navigate({ to: '/servers/create', search: { image: image.id } as never }),
      },
      {
        key: 'volume',
        label: t.createVolume,
        why: isReader(session)
          ? k.readOnlyRole
          : (notReady ?? (image.container_format === 'bare' ? null : t.noVolume)),
        run: () => void navigate({ to: '/volumes', search: { image: image.id } as never }),
      },
      null,
      { key: 'edit', label: k.edit, why, run: () => onEdit(image) },
      {
        key: 'upload',
        label: t.upload,
        why: why ?? (image.status === 'queued' ? null : t.hasContent),
        run: () => onUpload(image),
      },
      {
        key: 'active',
        label: image.status === 'deactivated' ? t.reactivate : t.deactivate,
        why: why ?? (['active', 'deactivated'].includes(image.status) ? null : t.notReady),
        run: () => activate.mutate(image),
      },
      null,
      {
        key: 'delete',
        label: k.delete,
        danger: true,
        why: why ?? (image.protected ? t.isProtected : null),
        run: () => remove(image, onDeleted),
      },
    ];
  };
}
