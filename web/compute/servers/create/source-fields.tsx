// What a new server boots from, and how large it is.
import { useQuery } from '@tanstack/react-query';
import { Checkbox, Form, InputNumber, Segmented, Select, Typography } from 'antd';
import { useFormat, useText } from '../../../kit/language.tsx';
import { useSession } from '../../../kit/session.ts';
import { flavorsQuery, imagesQuery, type Image } from '../api.ts';
import { volumesQuery } from '../detail/api.ts';
import { useSize } from '../flavor-size.ts';
import { typeOfImage } from '../server.ts';
import { snapshotsQuery } from './api.ts';
import { misfitOf, rootGib, sorted } from './defaults.ts';
import type { CreateForm, Source } from './request.ts';
import { createText } from './text.ts';

const SOURCES: readonly Source[] = ['image', 'newVolume', 'volume', 'snapshot'];

const useNeeded = () => {
  const t = useText(createText);
  return { required: true, message: t.needed };
};

export const useChosenImage = (): Image | undefined => {
  const form = Form.useFormInstance<CreateForm>();
  const id = Form.useWatch('imageId', form);
  const source = Form.useWatch('source', form);
  const { data: images } = useQuery(imagesQuery);
  return id === undefined || source === 'volume' || source === 'snapshot' ? undefined : images?.get(id);
};

function ImageField({ source }: { source: Source }) {
  const t = useText(createText);
  const format = useFormat();
  const images = useQuery(imagesQuery);
  const needed = useNeeded();
  const chosen = useChosenImage();
  const usable = [...(images.data?.values() ?? [])].filter(({ status }) => status === 'active');
  const group = (label: string, type: 'vm' | 'container') => {
    const options = usable
      .filter((image) => typeOfImage(image) === type)
      .map(({ id, name, size }) => ({
        value: id,
        label: `${name ?? id.slice(0, 8)}${size === null ? '' : ` (${format.bytes(size)})`}`,
      }));
    return options.length === 0 ? [] : [{ label, options }];
  };
  const isContainer = chosen !== undefined && typeOfImage(chosen) === 'container';
  return (
    <Form.Item
      name="imageId"
      label={t.image}
      rules={[
        needed,
        {
          validator: () =>
            source === 'newVolume' && isContainer ? Promise.reject(new Error(t.vmOnly)) : Promise.resolve(),
        },
      ]}
      extra={source === 'newVolume' ? t.vmOnly : isContainer ? t.containerNote : undefined}
    >
      <Select
        loading={images.isPending}
        showSearch={{ optionFilterProp: 'label' }}
        notFoundContent={t.noImages}
        options={[...group(t.vms, 'vm'), ...(source === 'image' ? group(t.containers, 'container') : [])]}
      />
    </Form.Item>
  );
}

function VolumeField() {
  const t = useText(createText);
  const session = useSession();
  const projectId = session.project?.id ?? '';
  const volumes = useQuery(volumesQuery(projectId, { tenant_id: projectId }));
  const needed = useNeeded();
  return (
    <Form.Item name="volumeId" label={t.volume} rules={[needed]}>
      <Select
        loading={volumes.isPending}
        showSearch={{ optionFilterProp: 'label' }}
        notFoundContent={t.noVolumes}
        options={(volumes.data ?? [])
          .filter(({ status, bootable }) => status === 'available' && bootable === 'true')
          .map(({ id, name, size }) => ({
            value: id,
            label: `${name === null || name === '' ? id.slice(0, 8) : name} (${size} GiB)`,
          }))}
      />
    </Form.Item>
  );
}

function SnapshotField() {
  const t = useText(createText);
  const session = useSession();
  const snapshots = useQuery(snapshotsQuery(session.project?.id ?? ''));
  const needed = useNeeded();
  return (
    <Form.Item name="snapshotId" label={t.snapshot} rules={[needed]}>
      <Select
        loading={snapshots.isPending}
        showSearch={{ optionFilterProp: 'label' }}
        notFoundContent={t.noSnapshots}
        options={(snapshots.data ?? [])
          .filter(({ status }) => status === 'available')
          .map(({ id, name, size }) => ({
            value: id,
            label: `${name === null || name === '' ? id.slice(0, 8) : name} (${size} GiB)`,
          }))}
      />
    </Form.Item>
  );
}

function VolumeSizeField({ source }: { source: Source }) {
  const t = useText(createText);
  const image = useChosenImage();
  const needs = source === 'newVolume' && image !== undefined ? rootGib(image) : 1;
  return (
    <Form.Item
      name="volumeSize"
      label={t.volumeSize}
      extra={source === 'snapshot' ? t.volumeSizeOptional : undefined}
      rules={[
        ...(source === 'newVolume' ? [{ required: true, message: t.needed }] : []),
        {
          validator: (_, size: number | null | undefined) =>
            typeof size === 'number' && size < needs
              ? Promise.reject(new Error(t.volumeSmall(needs)))
              : Promise.resolve(),
        },
      ]}
    >
      <InputNumber min={1} max={1_000_000} precision={0} />
    </Form.Item>
  );
}

export function SourceFields() {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const source = Form.useWatch('source', form) ?? 'image';
  return (
    <>
      <Form.Item name="source" label={t.source}>
        <Segmented
          aria-label={t.source}
          options={SOURCES.map((value) => ({ value, label: t.sources[value] }))}
        />
      </Form.Item>
      {source === 'image' || source === 'newVolume' ? <ImageField source={source} /> : null}
      {source === 'volume' ? <VolumeField /> : null}
      {source === 'snapshot' ? <SnapshotField /> : null}
      {source === 'newVolume' || source === 'snapshot' ? <VolumeSizeField source={source} /> : null}
      {source === 'image' ? null : (
        <Form.Item name="volumeGoes" valuePropName="checked">
          <Checkbox>{t.volumeGoes}</Checkbox>
        </Form.Item>
      )}
    </>
  );
}

export function FlavorField() {
  const t = useText(createText);
  const size = useSize();
  const flavors = useQuery(flavorsQuery);
  const image = useChosenImage();
  const form = Form.useFormInstance<CreateForm>();
  const onVolume = (Form.useWatch('source', form) ?? 'image') !== 'image';
  const needed = useNeeded();
  return (
    <Form.Item name="flavorId" label={t.flavor} rules={[needed]}>
      <Select
        loading={flavors.isPending}
        showSearch={{ optionFilterProp: 'title' }}
        options={sorted(flavors.data ?? []).map((flavor) => {
          const misfit = misfitOf(flavor, image, onVolume);
          return {
            value: flavor.id,
            title: flavor.name,
            disabled: misfit !== null,
            label: (
              <>
                {flavor.name}{' '}
                <Typography.Text type="secondary">
                  {size(flavor)}
                  {misfit === null ? '' : ` · ${t.tooSmall[misfit.part]}`}
                </Typography.Text>
              </>
            ),
          };
        })}
      />
    </Form.Item>
  );
}
