// The disks of a scenario's server that has volumes: one that was made before it, sometimes one that is made with it.
import type { Rng } from '../kernel/ids.ts';

export const disksWith = (volume: string, rng: Rng): object[] => [
  { source_type: 'volume', destination_type: 'volume', uuid: volume, boot_index: -1 },
  ...(rng() < 0.4
    ? [
        {
          source_type: 'blank',
          destination_type: 'volume',
          volume_size: 1,
          boot_index: -1,
          delete_on_termination: rng() < 0.7,
        },
      ]
    : []),
];
