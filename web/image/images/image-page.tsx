// One image: what it is, with whom it is shared, and how its content came.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Alert, Card, Descriptions, Flex, Tabs, Tag, Typography } from 'antd';
import { useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { useAction } from '../../kit/action.tsx';
import { ApiError } from '../../kit/api.ts';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Pending } from '../../kit/pending.tsx';
import { Problem } from '../../kit/problem.tsx';
import { ProjectName } from '../../kit/project-input.tsx';
import { ResourceTable } from '../../kit/resource-table.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import {
  customProperties,
  imageQuery,
  importFrom,
  kindOf,
  tasksQuery,
  type Image,
  type ImportTask,
} from './api.ts';
import { ContentDialog } from './content-dialog.tsx';
import { DownloadButton } from './download-button.tsx';
import { EditImageDialog } from './edit-dialog.tsx';
import { useImageActions, useWhyNot } from './image-actions.tsx';
import { ImageState } from './image-state.tsx';
import { Members, ShareAnswer } from './members.tsx';
import { imageText } from './text.ts';
import { UploadPanel, useUploads } from './upload-panel.tsx';

function Facts({ image }: { image: Image }) {
  const t = useText(imageText);
  const k = useText(kitText);
  const f = useFormat();
  const size = (bytes: number | null): string => (bytes === null ? '–' : f.bytes(bytes));
  const items = [
    { label: k.id, children: <Id id={image.id} /> },
    { label: t.kind, children: t.kinds[kindOf(image)] },
    {
      label: t.format,
      children: t.formatOf(image.disk_format ?? '–', image.container_format ?? '–'),
    },
    { label: t.visibility, children: t.visibilityLong[image.visibility] },
    { label: k.project, children: <ProjectName id={image.owner} /> },
    { label: t.size, children: size(image.size) },
    { label: t.virtualSize, children: size(image.virtual_size) },
    { label: t.minDisk, children: `${image.min_disk} GiB` },
    { label: t.minRam, children: f.mib(image.min_ram) },
    { label: t.protected, children: image.protected ? k.yes : k.no },
    { label: t.hidden, children: image.os_hidden ? k.yes : k.no },
    { label: k.created, children: f.time(image.created_at) },
    { label: t.updated, children: f.time(image.updated_at) },
    {
      label: t.tags,
      children: image.tags.length === 0 ? '–' : image.tags.map((tag) => <Tag key={tag}>{tag}</Tag>),
    },
    ...(image.os_hash_value === null
      ? []
      : [
          {
            label: image.os_hash_algo ?? '',
            span: 'filled' as const,
            children: (
              <Typography.Text copyable code style={{ wordBreak: 'break-all' }}>
                {image.os_hash_value}
              </Typography.Text>
            ),
          },
        ]),
  ];
  return (
    <Card size="small">
      <Descriptions
        size="small"
        column={{ xs: 1, sm: 1, md: 2, lg: 2, xl: 2, xxl: 3 }}
        items={items.map((item, key) => ({ key, ...item }))}
      />
    </Card>
  );
}

function Properties({ image }: { image: Image }) {
  const t = useText(imageText);
  const entries = Object.entries(customProperties(image));
  if (entries.length === 0) return <Typography.Text type="secondary">{t.noProperties}</Typography.Text>;
  return (
    <Descriptions
      bordered
      size="small"
      column={1}
      styles={{ label: { width: '40%' } }}
      items={entries.map(([name, value]) => ({ key: name, label: <code>{name}</code>, children: value }))}
    />
  );
}

const TASK = { pending: 'queued', processing: 'importing', success: 'success', failure: 'failed' } as const;

function Imports({ image }: { image: Image }) {
  const t = useText(imageText);
  const k = useText(kitText);
  const f = useFormat();
  const tasks = useQuery({
    ...tasksQuery(image.id),
    refetchInterval: image.status === 'importing' ? 2_000 : false,
  });
  return (
    <ResourceTable<ImportTask>
      name="image-tasks"
      label={t.imports}
      query={tasks}
      rowKey={(task) => task.id}
      columns={[
        {
          key: 'since',
          title: k.created,
          value: (task) => task.created_at,
          render: (task) => f.time(task.created_at),
        },
        {
          key: 'from',
          title: t.from,
          render: ({ input }) => input?.import_req?.method?.uri ?? input?.import_req?.method?.name ?? '–',
        },
        {
          key: 'status',
          title: k.state,
          render: (task) => <StateTag state={TASK[task.status]}>{t.taskStates[task.status]}</StateTag>,
        },
        {
          key: 'message',
          title: t.message,
          render: (task) => (
            <div style={{ width: 'min(420px, 70vw)', overflowWrap: 'anywhere' }}>{task.message}</div>
          ),
        },
      ]}
    />
  );
}

/** An import that failed: why, and both ways on. */
function FailedImport({ image, onUpload }: { image: Image; onUpload(): void }) {
  const t = useText(imageText);
  const why = useWhyNot()(image);
  const tasks = useQuery(tasksQuery(image.id));
  const failed = tasks.data?.find(({ status }) => status === 'failure');
  const uri = failed?.input?.import_req?.method?.uri;
  const again = useAction<string>({ refresh: [['images']], run: (from) => importFrom(image.id, from) });
  return (
    <Alert
      type="error"
      showIcon
      title={t.importFailed}
      description={
        <Flex vertical gap={8} align="start">
          <span style={{ overflowWrap: 'anywhere' }}>{failed?.message}</span>
          <Flex gap={8} wrap>
            {uri === undefined ? null : (
              <ActionButton
                size="small"
                type="primary"
                why={why}
                loading={again.isPending}
                onClick={() => again.mutate(uri)}
              >
                {t.importAgain}
              </ActionButton>
            )}
            <ActionButton size="small" why={why} onClick={onUpload}>
              {t.upload}
            </ActionButton>
          </Flex>
        </Flex>
      }
    />
  );
}

/** What stands in the way of using the image, and what to do about it. */
function NextStep({ image, onUpload }: { image: Image; onUpload(): void }) {
  const t = useText(imageText);
  const session = useSession();
  const why = useWhyNot()(image);
  const sending = useUploads().some(({ id, state }) => id === image.id && state !== 'done');
  if (image.status === 'deactivated') return <Alert type="warning" showIcon title={t.deactivatedHint} />;
  if (image.visibility === 'shared' && image.owner !== session.project?.id)
    return <ShareAnswer image={image} />;
  if (image.status !== 'queued' || sending) return null;
  if (why === null && image['os_glance_failed_import'] !== undefined)
    return <FailedImport image={image} onUpload={onUpload} />;
  return (
    <Alert
      type="warning"
      showIcon
      title={t.waitsForContent}
      action={
        <ActionButton size="small" type="primary" why={why} onClick={onUpload}>
          {t.upload}
        </ActionButton>
      }
    />
  );
}

export function ImagePage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const t = useText(imageText);
  const k = useText(kitText);
  const session = useSession();
  const navigate = useNavigate();
  const query = useQuery(imageQuery(id));
  const whyNot = useWhyNot();
  const [edited, setEdited] = useState<Image | null>(null);
  const [filled, setFilled] = useState<Image | null>(null);
  const actions = useImageActions({
    onEdit: setEdited,
    onUpload: setFilled,
    onDeleted: () => void navigate({ to: '/images' }),
  });
  const image = query.data;
  const crumbs = [{ title: t.title, to: '/images' }];
  // What has gone meanwhile is no longer shown as if it were there.
  const gone = query.error instanceof ApiError && query.error.status === 404;
  if (image === undefined || gone)
    return (
      <PageFrame title={t.one} crumbs={crumbs}>
        <Pending query={query} />
      </PageFrame>
    );
  const why = whyNot(image);
  const name = image.name ?? image.id;
  return (
    <PageFrame
      title={name}
      crumbs={crumbs}
      extra={
        <>
          <Flex align="center">
            <ImageState image={image} />
          </Flex>
          <DownloadButton
            image={image}
            why={isReader(session) ? k.readOnlyRole : image.size === null ? t.notReady : null}
          />
          <ActionMenu label={k.actionsOf(name)} items={actions(image)}>
            {k.actions}
          </ActionMenu>
        </>
      }
    >
      {query.error === null ? null : <Problem error={query.error} retry={() => void query.refetch()} />}
      <UploadPanel only={id} />
      <NextStep image={image} onUpload={() => setFilled(image)} />
      <Facts image={image} />
      <Tabs
        items={[
          { key: 'properties', label: t.properties, children: <Properties image={image} /> },
          ...(why === null
            ? [
                { key: 'members', label: t.members, children: <Members image={image} why={why} /> },
                { key: 'imports', label: t.imports, children: <Imports image={image} /> },
              ]
            : []),
        ]}
      />
      <EditImageDialog image={edited} onClose={() => setEdited(null)} />
      <ContentDialog image={filled} onClose={() => setFilled(null)} />
    </PageFrame>
  );
}
