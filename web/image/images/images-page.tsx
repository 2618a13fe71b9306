// The images that servers are made from: the project's own, public ones, and those that others share.
import { LockOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Flex, Segmented, Tag, Tooltip } from 'antd';
import { useMemo, useState, type ReactNode } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { BulkDelete } from '../../kit/bulk-delete.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import { ResourceTable, type Column } from '../../kit/resource-table.tsx';
import { isOperator, isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { deleteImage, imagesQuery, kindOf, type Image } from './api.ts';
import { ContentDialog } from './content-dialog.tsx';
import { CreateImageDialog } from './create-dialog.tsx';
import { EditImageDialog } from './edit-dialog.tsx';
import { useImageActions, useWhyNot } from './image-actions.tsx';
import { ImageState } from './image-state.tsx';
import { ShareAnswer } from './members.tsx';
import { imageText } from './text.ts';
import { UploadPanel } from './upload-panel.tsx';

/** Which images the list shows. */
const VIEWS = ['all', 'own', 'public', 'shared', 'community', 'hidden'] as const;
type View = (typeof VIEWS)[number];

const shelfOf = (view: View) => (view === 'community' || view === 'hidden' ? view : 'listed');

function useColumns(view: View, menu: (image: Image) => ReactNode): readonly Column<Image>[] {
  const t = useText(imageText);
  const k = useText(kitText);
  const f = useFormat();
  const session = useSession();
  return useMemo(
    () => [
      {
        key: 'name',
        title: k.name,
        value: (image) => image.name ?? image.id,
        render: (image) => (
          <Flex gap={6} align="center">
            <ResourceLink to="/images" name={image.name} id={image.id} />
            {image.protected ? (
              <Tooltip title={t.isProtected}>
                <LockOutlined aria-label={t.isProtected} />
              </Tooltip>
            ) : null}
          </Flex>
        ),
      },
      {
        key: 'kind',
        title: t.kind,
        filter: true,
        value: (image) => t.kinds[kindOf(image)],
        render: (image) => t.kinds[kindOf(image)],
      },
      {
        key: 'status',
        title: k.state,
        filter: true,
        value: (image) => (t.states as Readonly<Record<string, string>>)[image.status] ?? image.status,
        render: (image) => <ImageState image={image} />,
      },
      {
        key: 'visibility',
        title: t.visibility,
        filter: true,
        value: (image) => t.visibilities[image.visibility],
        render: (image) =>
          view === 'shared' && image.owner !== session.project?.id ? (
            <ShareAnswer image={image} compact />
          ) : (
            t.visibilities[image.visibility]
          ),
      },
      {
        key: 'format',
        title: t.format,
        filter: true,
        value: (image) => formatOf(image),
        render: (image) => formatOf(image),
      },
      {
        key: 'size',
        title: t.size,
        value: (image) => image.size ?? 0,
        render: (image) => (image.size === null ? '–' : f.bytes(image.size)),
      },
      {
        key: 'tags',
        title: t.tags,
        hidden: true,
        value: (image) => image.tags.join(' '),
        render: (image) => image.tags.map((tag) => <Tag key={tag}>{tag}</Tag>),
      },
      {
        key: 'created',
        title: k.created,
        value: (image) => image.created_at,
        render: (image) => <span title={f.time(image.created_at)}>{f.ago(image.created_at)}</span>,
      },
      {
        key: 'owner',
        title: k.project,
        hidden: !isOperator(session),
        value: (image) => image.owner,
        render: (image) => <ProjectName id={image.owner} />,
      },
      { key: 'id', title: k.id, hidden: true, render: (image) => <Id id={image.id} /> },
      { key: 'actions', title: k.actions, width: 80, render: menu },
    ],
    [f, k, menu, session, t, view],
  );
}

const formatOf = (image: Image): string =>
  image.container_format === 'bare' || image.container_format === null
    ? (image.disk_format ?? '–')
    : image.container_format;

function useView(view: View) {
  const session = useSession();
  const own = session.project?.id;
  const query = useQuery(imagesQuery(shelfOf(view)));
  const data = useMemo(
    () =>
      query.data?.filter((image) => {
        if (view === 'own') return image.owner === own;
        if (view === 'public') return image.visibility === 'public';
        if (view === 'shared') return image.visibility === 'shared' && image.owner !== own;
        return true;
      }),
    [query.data, view, own],
  );
  return { ...query, data };
}

export function ImagesPage() {
  const t = useText(imageText);
  const k = useText(kitText);
  const session = useSession();
  const whyNot = useWhyNot();
  const [view, setView] = useState<View>('all');
  const [creating, setCreating] = useState(false);
  const [edited, setEdited] = useState<Image | null>(null);
  const [filled, setFilled] = useState<Image | null>(null);
  const query = useView(view);
  const actions = useImageActions({ onEdit: setEdited, onUpload: setFilled });
  const columns = useColumns(view, (image) => (
    <ActionMenu label={k.actionsOf(image.name ?? image.id)} items={actions(image)} />
  ));
  const create = (
    <ActionButton
      type="primary"
      icon={<PlusOutlined aria-hidden />}
      why={isReader(session) ? k.readOnlyRole : null}
      onClick={() => setCreating(true)}
    >
      {t.create}
    </ActionButton>
  );
  return (
    <PageFrame title={t.title} extra={create}>
      <UploadPanel />
      <ResourceTable<Image>
        name={isOperator(session) ? 'images-operator' : 'images'}
        label={t.title}
        query={query}
        rowKey={(image) => image.id}
        columns={columns}
        empty={view === 'all' || view === 'own' ? create : null}
        toolbar={
          <Segmented<View>
            aria-label={t.show}
            value={view}
            onChange={setView}
            options={VIEWS.map((value) => ({ value, label: t.views[value] }))}
          />
        }
        {...(isReader(session)
          ? {}
          : {
              bulk: (rows: readonly Image[], clear: () => void) => (
                <BulkDelete<Image>
                  rows={rows}
                  clear={clear}
                  mayDelete={(image) => whyNot(image) === null && !image.protected}
                  nameOf={(image) => image.name ?? image.id}
                  remove={({ id }) => deleteImage(id)}
                  lost={t.deleteManyContent}
                  refresh={[['images']]}
                />
              ),
            })}
      />
      <CreateImageDialog open={creating} onClose={() => setCreating(false)} />
      <EditImageDialog image={edited} onClose={() => setEdited(null)} />
      <ContentDialog image={filled} onClose={() => setFilled(null)} />
    </PageFrame>
  );
}
