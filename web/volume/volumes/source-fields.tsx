// Of what a new volume is made; and how large it must be at least for that.
import { useQuery } from '@tanstack/react-query';
import { Form, Select, Segmented } from 'antd';
import { useMemo } from 'react';
import { useFormat, useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { backupsQuery } from '../backups/api.ts';
import { snapshotsQuery } from '../snapshots/api.ts';
import { sourceImagesQuery, volumesQuery } from './api.ts';
import { sourceSize } from './source-size.ts';
import { volumeText } from './text.ts';

export const SOURCES = ['empty', 'image', 'snapshot', 'volume', 'backup'] as const;
export type SourceKind = (typeof SOURCES)[number];

/** How the create call names each. */
export const SOURCE_FIELD = {
  image: 'imageRef',
  snapshot: 'snapshot_id',
  volume: 'source_volid',
  backup: 'backup_id',
} as const;

type Choice = { value: string; label: string; /** GiB. */ least: number };

/** What there is of a kind to make a volume of. */
export function useSources(kind: SourceKind): { choices: readonly Choice[]; loading: boolean } {
  const f = useFormat();
  const images = useQuery({ ...sourceImagesQuery, enabled: kind === 'image' });
  const snapshots = useQuery({ ...snapshotsQuery(false), enabled: kind === 'snapshot' });
  const volumes = useQuery({ ...volumesQuery(false), enabled: kind === 'volume' });
  const backups = useQuery({ ...backupsQuery(false), enabled: kind === 'backup' });
  const choices = useMemo((): Choice[] => {
    const sized = (one: { id: string; name: string | null; size: number }): Choice => ({
      value: one.id,
      label: `${one.name ?? one.id} (${one.size} GiB)`,
      least: one.size,
    });
    const ready = ({ status }: { status: string }): boolean => status === 'available' || status === 'in-use';
    if (kind === 'image')
      return (images.data ?? []).map((image) => ({
        value: image.id,
        label: `${image.name ?? image.id} (${f.bytes(image.virtual_size ?? image.size ?? 0)})`,
        least: sourceSize(image),
      }));
    if (kind === 'snapshot') return (snapshots.data ?? []).filter(ready).map(sized);
    if (kind === 'volume') return (volumes.data ?? []).filter(ready).map(sized);
    if (kind === 'backup') return (backups.data ?? []).filter(ready).map(sized);
    return [];
  }, [kind, images.data, snapshots.data, volumes.data, backups.data, f]);
  const query = { empty: null, image: images, snapshot: snapshots, volume: volumes, backup: backups }[kind];
  return { choices, loading: query?.isPending ?? false };
}

/** The fields `from` and `source` of a form. */
export function SourceFields({ kind, onChange }: { kind: SourceKind; onChange(): void }) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const { choices, loading } = useSources(kind);
  return (
    <>
      <Form.Item name="from" required label={t.from}>
        <Segmented
          aria-label={t.from}
          options={SOURCES.map((value) => ({ value, label: t.sources[value] }))}
          onChange={onChange}
        />
      </Form.Item>
      {kind === 'empty' ? null : (
        <Form.Item
          name="source"
          label={t.sources[kind]}
          rules={[{ required: true, message: k.required }]}
          validateTrigger="onSubmit"
        >
          <Select
            loading={loading}
            showSearch={{ optionFilterProp: 'label' }}
            options={[...choices]}
            notFoundContent={loading ? '…' : t.noSource}
          />
        </Form.Item>
      )}
    </>
  );
}
