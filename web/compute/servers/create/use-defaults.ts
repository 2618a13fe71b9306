// Fills in what nobody has said yet, as soon as it is known: nothing that was typed is touched.
import { useQuery } from '@tanstack/react-query';
import { Form, type FormInstance } from 'antd';
import { useEffect, useMemo, useRef } from 'react';
import { useSession } from '../../../kit/session.ts';
import { flavorsQuery, imagesQuery, serversQuery } from '../api.ts';
import { networksQuery, securityGroupsQuery } from '../detail/api.ts';
import {
  firstImage,
  misfitOf,
  onlyNetwork,
  rootGib,
  smallestFitting,
  suggestName,
  usableNetworks,
} from './defaults.ts';
import type { CreateForm } from './request.ts';

/** A suggestion is nothing that its user has said: the field counts as untouched. */
function suggest<K extends keyof CreateForm>(
  form: FormInstance<CreateForm>,
  name: K,
  value: CreateForm[K] | undefined,
): void {
  form.setFields([{ name, value, touched: false, errors: [] }]);
}

/** Done once, when `ready`: what is chosen afterwards stays. */
function useOnce(ready: boolean, fill: () => void): void {
  const done = useRef(false);
  useEffect(() => {
    if (!ready || done.current) return;
    done.current = true;
    fill();
  });
}

export function useDefaults(form: FormInstance<CreateForm>): void {
  const projectId = useSession().project?.id ?? '';
  const { data: images } = useQuery(imagesQuery);
  const { data: flavors } = useQuery(flavorsQuery);
  const { data: networks } = useQuery(networksQuery);
  const { data: groups } = useQuery(securityGroupsQuery(projectId));
  const { data: servers } = useQuery({ ...serversQuery(false), refetchInterval: false });
  const source = Form.useWatch('source', form);
  const imageId = Form.useWatch('imageId', form);
  const taken = useMemo(() => new Set(servers?.map(({ name }) => name)), [servers]);

  useOnce(images !== undefined, () => {
    if (form.getFieldValue('imageId') !== undefined) return;
    const first = firstImage([...(images?.values() ?? [])].filter(({ status }) => status === 'active'));
    suggest(form, 'imageId', first?.id);
  });
  useOnce(networks !== undefined, () => {
    if (!form.isFieldTouched('networkIds'))
      suggest(form, 'networkIds', onlyNetwork(usableNetworks(networks ?? [], projectId)));
  });
  useOnce(groups !== undefined, () => {
    const own = groups?.find(({ name, project_id }) => name === 'default' && project_id === projectId);
    if (own !== undefined && !form.isFieldTouched('groupIds')) suggest(form, 'groupIds', [own.id]);
  });

  const byImage = source === 'image' || source === 'newVolume';
  const image = byImage && imageId !== undefined ? images?.get(imageId) : undefined;
  useEffect(() => {
    if (servers !== undefined && !form.isFieldTouched('name'))
      suggest(form, 'name', suggestName(image, taken));
  }, [form, image, servers, taken]);
  useEffect(() => {
    if (flavors === undefined) return;
    const onVolume = source !== 'image';
    const chosen = flavors.find(({ id }) => id === form.getFieldValue('flavorId'));
    // A flavor that somebody chose stays as long as the image fits it.
    if (form.isFieldTouched('flavorId') && chosen !== undefined && misfitOf(chosen, image, onVolume) === null)
      return;
    suggest(form, 'flavorId', smallestFitting(flavors, image, onVolume)?.id);
  }, [form, flavors, image, source]);
  useEffect(() => {
    if (source === 'newVolume' && image !== undefined && !form.isFieldTouched('volumeSize'))
      suggest(form, 'volumeSize', Math.max(1, rootGib(image)));
    if (source === 'snapshot' && !form.isFieldTouched('volumeSize')) suggest(form, 'volumeSize', null);
  }, [form, image, source]);
}
