// A server as the compute API shows it to this console, and what can be read from that alone.

export type ServerAddress = {
  version: 4 | 6;
  addr: string;
  'OS-EXT-IPS:type': 'fixed' | 'floating';
};

export type ServerFlavor = {
  original_name: string;
  vcpus: number;
  /** MiB */
  ram: number;
  /** GiB; 0: as large as the image. */
  disk: number;
  /** GiB */
  ephemeral: number;
  /** MiB */
  swap: number;
};

export type Server = {
  id: string;
  name: string;
  status: string;
  tenant_id: string;
  user_id: string;
  metadata: Readonly<Record<string, string>>;
  /** Tells nothing but whether two servers share a host; '': it is on none. */
  hostId: string;
  /** '': it boots from a volume. */
  image: { id: string } | '';
  flavor: ServerFlavor;
  created: string;
  updated: string;
  addresses: Readonly<Record<string, readonly ServerAddress[]>>;
  fault?: { code: number; created: string; message: string };
  locked: boolean;
  locked_reason: string | null;
  description: string | null;
  tags: readonly string[];
  key_name: string | null;
  config_drive: string;
  security_groups?: readonly { name: string }[];
  'OS-EXT-AZ:availability_zone': string;
  /** What was asked for. */
  pinned_availability_zone: string | null;
  'OS-EXT-STS:task_state': string | null;
  'OS-EXT-STS:vm_state': string;
  'OS-EXT-STS:power_state': number;
  'OS-SRV-USG:launched_at': string | null;
  'os-extended-volumes:volumes_attached': readonly { id: string; delete_on_termination: boolean }[];
  'OS-EXT-SRV-ATTR:hostname': string;
  /** Shown to operators. */
  'OS-EXT-SRV-ATTR:host'?: string | null;
  host_status?: string;
  /** Only of a single server. */
  server_groups?: readonly string[];
};

/** What of an image decides which kind of server it makes. */
export type ImageKind = { container_format: string | null; 'strata:type'?: string };

export type ServerType = 'vm' | 'container';

export const typeOfImage = (image: ImageKind): ServerType =>
  image.container_format === 'docker' || image['strata:type'] === 'container' ? 'container' : 'vm';

/** null: it cannot be known, since its image is gone or not to be seen. Only VMs boot from volumes. */
export function typeOf(
  server: Pick<Server, 'image'>,
  images: ReadonlyMap<string, ImageKind>,
): ServerType | null {
  if (server.image === '') return 'vm';
  const image = images.get(server.image.id);
  return image === undefined ? null : typeOfImage(image);
}

/** Fixed before floating, IPv4 before IPv6. */
export const addressesOf = ({ addresses }: Pick<Server, 'addresses'>): readonly ServerAddress[] =>
  Object.values(addresses)
    .flat()
    .toSorted((a, b) => a['OS-EXT-IPS:type'].localeCompare(b['OS-EXT-IPS:type']) || a.version - b.version);

const powers: Readonly<Record<number, PowerName>> = {
  0: 'none',
  1: 'running',
  3: 'paused',
  4: 'off',
  6: 'crashed',
  7: 'suspended',
};
export type PowerName = 'none' | 'running' | 'paused' | 'off' | 'crashed' | 'suspended';

export const powerOf = (server: Pick<Server, 'OS-EXT-STS:power_state'>): PowerName =>
  powers[server['OS-EXT-STS:power_state']] ?? 'none';

/** What decides how often to look again: a task that is under way counts as a state. */
export const livelyState = (server: Pick<Server, 'status' | 'OS-EXT-STS:task_state'>): string =>
  server['OS-EXT-STS:task_state'] === null ? server.status : 'building';

/** The least that an answer of so many rows may cost its reader: 1,000 servers are read every 5 s at most. */
export const paceFor = (pace: number, rows: number): number => Math.max(pace, rows * 5);
