// Servers: what the user wants and what the host says lie in separate columns; `status` and `vm_state` are
// written from both by store.ts, so that lists can filter by them.
import type { Kysely } from 'kysely';
import type { Migration, Reader, Tables } from '../../../kernel/db/index.ts';
import type { Phase } from './phases.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    servers: ServerRow;
    server_tags: { server_id: string; tag: string };
    server_actions: ServerActionRow;
    server_images: ServerImageRow;
    server_backups: ServerBackupRow;
  }
}

export type Power = 'running' | 'stopped' | 'paused' | 'suspended';
export type Db = Pick<Reader, 'selectFrom'>;

export type ServerRow = {
  id: string;
  project_id: string;
  user_id: string;
  name: string;
  hostname: string;
  description: string | null;
  created_at: number;
  updated_at: number;
  /** Grows with each change of the row: what was encoded of it is known by (id, revision). */
  revision: number;

  /** Desired. `desired_version` grows with each power verb, so that it is known when it was carried out. */
  power: Power;
  desired_version: number;
  reboot_count: number;
  reboot_hard: number;
  /** JSON of Rescue: what it shall boot from while its own disk is repaired; null: it boots as it is. */
  rescue: string | null;
  /** JSON of {path, contents}[]: what its user sent along, for its config drive. */
  files: string;
  /** How often it was rebuilt; image_id is what it shall be made of. */
  rebuild_count: number;
  /** How often it was resized or went back from it. */
  resize_count: number;
  /** null: nothing that takes several steps. */
  phase: Phase | null;
  /** JSON of ResizeFacts or ShelveFacts. */
  phase_facts: string | null;
  deleting: number;
  /** Generation of the item that was compiled, and the version it stands for; 0: none yet. */
  item_generation: number;
  compiled_version: number;

  /** Observed. */
  observed_version: number;
  observed_generation: number;
  observed_power: string | null;
  observed_reboot_count: number;
  observed_rebuild_count: number;
  observed_rescued: number;
  observed_resize_count: number;
  /** How often the host says that it brought the guest back; falls back to 0 with each new agent. */
  observed_restarts: number;
  error: string | null;
  error_at: number | null;
  launched_at: number | null;

  /** Derived from the above. */
  status: string;
  vm_state: string;

  /** Images of it that are under way: rows of server_images. */
  imaging: number;

  locked: number;
  /** 'owner' or 'admin'; an owner cannot undo an operator's lock. */
  locked_by: string | null;
  locked_reason: string | null;

  /** 'vm' or 'container'. */
  type: string;
  image_id: string;
  /** Image that its root was made of when it was unshelved; null: image_id. That it may be gone by now is no matter. */
  root_image_id: string | null;
  /** JSON of BootFacts. */
  image: string;
  flavor_id: string;
  /** JSON of FlavorCopy, as the flavor was when the server was made. */
  flavor: string;
  key_name: string | null;
  public_key: string | null;
  user_data: string | null;
  config_drive: number;
  disk_config: string;
  /** JSON objects of strings: the user's metadata, and the allow-listed properties for the guest. */
  metadata: string;
  properties: string;
  /** JSON array of strings, sorted; the same as in server_tags. */
  tags: string;
  /** JSON of ServerPort[], renewed when the network says that it changed. */
  ports: string;
  /** JSON of ServerAttachment[], renewed when the volume service says that they changed. */
  volumes: string;
  access_ipv4: string;
  access_ipv6: string;
  /** What was asked for; null: any. */
  pinned_zone: string | null;
  /** null: on no host. */
  host_id: string | null;
  host_name: string | null;
  zone: string | null;
  /** JSON of PlacementExplanation. */
  explanation: string;
  group_id: string | null;
  reservation_id: string;
  launch_index: number;
};

export type FlavorCopy = {
  name: string;
  vcpus: number;
  memoryMib: number;
  diskGib: number;
  ephemeralGib: number;
  swapMib: number;
  extraSpecs: Record<string, string>;
};
export type BootFacts = { diskFormat: string; containerFormat: string; hash: string; size: number };

/** Work that fills an image of a server, by the image's id. */
export const WORK_SERVER_IMAGE = 'server-image';
/** An image that is being made of a server; gone when it is done, or given up. */
export type ServerImageRow = {
  image_id: string;
  server_id: string;
  tries: number;
  purpose: 'image' | 'backup' | 'shelve';
};
/** Backups of servers, for their rotation. */
export type ServerBackupRow = {
  image_id: string;
  server_id: string;
  backup_type: string;
  /** How many of its type are kept once it is there. */
  rotation: number;
  created_at: number;
};

export type ServerActionRow = {
  id: string;
  server_id: string;
  action: string;
  /** The desired_version that it asked for; it has finished when that is observed. */
  version: number;
  request_id: string;
  user_id: string;
  project_id: string;
  started_at: number;
  finished_at: number | null;
  /** null while it runs. */
  result: string | null;
  message: string | null;
  host_id: string | null;
};

const text = [
  'project_id',
  'user_id',
  'name',
  'hostname',
  'power',
  'status',
  'vm_state',
  'type',
  'image_id',
  'image',
  'flavor_id',
  'flavor',
  'disk_config',
  'metadata',
  'properties',
  'tags',
  'ports',
  'access_ipv4',
  'access_ipv6',
  'explanation',
  'reservation_id',
];
const textOrNull = [
  'description',
  'observed_power',
  'error',
  'locked_by',
  'locked_reason',
  'key_name',
  'public_key',
  'user_data',
  'pinned_zone',
  'host_id',
  'host_name',
  'zone',
  'group_id',
];
const numbers = [
  'created_at',
  'updated_at',
  'revision',
  'desired_version',
  'reboot_count',
  'reboot_hard',
  'deleting',
  'item_generation',
  'compiled_version',
  'observed_version',
  'observed_generation',
  'observed_reboot_count',
  'locked',
  'config_drive',
  'launch_index',
];

export const serverMigrations: Migration[] = [
  {
    id: 'compute-0003-servers',
    async up(db: Kysely<Tables>) {
      let servers = db.schema.createTable('servers').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of text) servers = servers.addColumn(column, 'text', (c) => c.notNull());
      for (const column of numbers) servers = servers.addColumn(column, 'bigint', (c) => c.notNull());
      for (const column of textOrNull) servers = servers.addColumn(column, 'text');
      await servers.addColumn('error_at', 'bigint').addColumn('launched_at', 'bigint').execute();
      await db.schema
        .createIndex('servers_project')
        .on('servers')
        .columns(['project_id', 'created_at', 'id'])
        .execute();
      await db.schema.createIndex('servers_created').on('servers').columns(['created_at', 'id']).execute();
      await db.schema.createIndex('servers_host').on('servers').column('host_id').execute();
      await db.schema.createIndex('servers_group').on('servers').column('group_id').execute();
      await db.schema
        .createTable('server_tags')
        .addColumn('server_id', 'text', (c) => c.notNull())
        .addColumn('tag', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('server_tags_pk', ['server_id', 'tag'])
        .execute();
      let actions = db.schema.createTable('server_actions').addColumn('id', 'text', (c) => c.primaryKey());
      for (const column of ['server_id', 'action', 'request_id', 'user_id', 'project_id'])
        actions = actions.addColumn(column, 'text', (c) => c.notNull());
      await actions
        .addColumn('version', 'bigint', (c) => c.notNull())
        .addColumn('started_at', 'bigint', (c) => c.notNull())
        .addColumn('finished_at', 'bigint')
        .addColumn('result', 'text')
        .addColumn('message', 'text')
        .addColumn('host_id', 'text')
        .execute();
      await db.schema
        .createIndex('server_actions_server')
        .on('server_actions')
        .columns(['server_id', 'started_at'])
        .execute();
    },
  },
  {
    id: 'compute-0006-server-restarts',
    async up(db: Kysely<Tables>) {
      await db.schema
        .alterTable('servers')
        .addColumn('observed_restarts', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
  {
    id: 'compute-0007-rebuild-and-images',
    async up(db: Kysely<Tables>) {
      for (const column of ['rebuild_count', 'observed_rebuild_count', 'imaging'])
        await db.schema
          .alterTable('servers')
          .addColumn(column, 'bigint', (c) => c.notNull().defaultTo(0))
          .execute();
      await db.schema
        .createTable('server_images')
        .addColumn('image_id', 'text', (c) => c.primaryKey())
        .addColumn('server_id', 'text', (c) => c.notNull())
        .addColumn('tries', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema.createIndex('server_images_server').on('server_images').column('server_id').execute();
    },
  },
  {
    id: 'compute-0008-server-volumes',
    async up(db: Kysely<Tables>) {
      await db.schema
        .alterTable('servers')
        .addColumn('volumes', 'text', (c) => c.notNull().defaultTo('[]'))
        .execute();
    },
  },
  {
    id: 'compute-0009-server-phases',
    async up(db: Kysely<Tables>) {
      for (const column of ['resize_count', 'observed_resize_count'])
        await db.schema
          .alterTable('servers')
          .addColumn(column, 'bigint', (c) => c.notNull().defaultTo(0))
          .execute();
      for (const column of ['phase', 'phase_facts'])
        await db.schema.alterTable('servers').addColumn(column, 'text').execute();
    },
  },
  {
    id: 'compute-0011-server-shelving-and-backups',
    async up(db: Kysely<Tables>) {
      await db.schema.alterTable('servers').addColumn('root_image_id', 'text').execute();
      await db.schema
        .alterTable('server_images')
        .addColumn('purpose', 'text', (c) => c.notNull().defaultTo('image'))
        .execute();
      await db.schema
        .createTable('server_backups')
        .addColumn('image_id', 'text', (c) => c.primaryKey())
        .addColumn('server_id', 'text', (c) => c.notNull())
        .addColumn('backup_type', 'text', (c) => c.notNull())
        .addColumn('rotation', 'bigint', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('server_backups_server')
        .on('server_backups')
        .columns(['server_id', 'backup_type'])
        .execute();
    },
  },
  {
    id: 'compute-0015-rescue-and-files',
    async up(db: Kysely<Tables>) {
      await db.schema.alterTable('servers').addColumn('rescue', 'text').execute();
      await db.schema
        .alterTable('servers')
        .addColumn('files', 'text', (c) => c.notNull().defaultTo('[]'))
        .execute();
      await db.schema
        .alterTable('servers')
        .addColumn('observed_rescued', 'bigint', (c) => c.notNull().defaultTo(0))
        .execute();
    },
  },
];
