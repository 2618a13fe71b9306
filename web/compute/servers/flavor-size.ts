// How large a flavor is, in words.
import { useCallback } from 'react';
import { useFormat, useText } from '../../kit/language.tsx';
import type { ServerFlavor } from './server.ts';
import { serversText } from './text.ts';

/** e.g. '1 vCPU · 2 GiB · 20 GiB disk' */
export function useSize(): (flavor: Pick<ServerFlavor, 'vcpus' | 'ram' | 'disk'>) => string {
  const t = useText(serversText);
  const format = useFormat();
  return useCallback(
    ({ vcpus, ram, disk }) => t.size(vcpus, format.mib(ram), disk === 0 ? t.diskOfImage : t.disk(disk)),
    [t, format],
  );
}
