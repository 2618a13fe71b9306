// What compute needs of the other services.
import type { Rights } from '../../kernel/policy.ts';
import type { HostService } from '../host/index.ts';
import type { ImageApi } from '../image/index.ts';
import type { NetworkApi } from '../network/index.ts';
import type { PlacementApi } from '../placement/index.ts';
import type { VolumeApi } from '../volume/index.ts';

export type ComputeDeps = {
  hosts: HostService;
  images: ImageApi;
  network: NetworkApi;
  placement: PlacementApi;
  volumes: VolumeApi;
  /** Identity's word on rights that were shown earlier. */
  stillHolds(rights: Rights): boolean;
};
