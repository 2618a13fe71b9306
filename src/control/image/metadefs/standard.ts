// The definitions that a cloud starts with: exactly the properties of images that change what Strata does with a server
// made of them. A property that is honoured in a new place gets its line here.
import type { Database } from '../../../kernel/db/index.ts';
import type { NamespaceBody } from './bodies.ts';
import { insertNamespace } from './namespaces.ts';

export const RESOURCE_TYPES = [
  'OS::Cinder::Volume',
  'OS::Glance::Image',
  'OS::Nova::Aggregate',
  'OS::Nova::Flavor',
  'OS::Nova::Server',
] as const;

const onImages = [
  { name: 'OS::Glance::Image' },
  // A volume made of an image carries the image's properties.
  { name: 'OS::Cinder::Volume', properties_target: 'image' },
];

export const STANDARD_NAMESPACES: readonly NamespaceBody[] = [
  {
    namespace: 'Strata::Compute::VirtualMachine',
    display_name: 'Virtual hardware',
    description: 'The hardware that a virtual machine made of the image finds.',
    visibility: 'public',
    protected: true,
    resource_type_associations: onImages,
    properties: {
      hw_architecture: {
        title: 'Architecture',
        description: 'The processor that the disk was made for. Servers are placed on hosts that have it.',
        type: 'string',
        enum: ['x86_64'],
      },
      hw_firmware_type: {
        title: 'Firmware',
        description: 'What starts the guest from its disk.',
        type: 'string',
        enum: ['bios'],
        default: 'bios',
      },
      hw_disk_bus: {
        title: 'Disk bus',
        description: 'How the root disk is attached: virtio unless the guest has no driver for it.',
        type: 'string',
        enum: ['virtio', 'scsi', 'sata'],
        default: 'virtio',
      },
      hw_vif_model: {
        title: 'Network card',
        description: 'The model of the network cards: virtio unless the guest has no driver for it.',
        type: 'string',
        enum: ['virtio', 'e1000', 'e1000e'],
        default: 'virtio',
      },
    },
  },
  {
    namespace: 'Strata::Compute::Container',
    display_name: 'Containers',
    description: 'Whether a server made of the image is a container, and what runs in it.',
    visibility: 'public',
    protected: true,
    resource_type_associations: onImages,
    properties: {
      'strata:type': {
        title: 'Kind of server',
        description: 'Images with container_format docker make containers whatever this says.',
        type: 'string',
        enum: ['vm', 'container'],
        default: 'vm',
      },
      'strata:command': {
        title: 'Command',
        description:
          'A JSON array of strings that is run in place of the entrypoint and command of the image.',
        type: 'string',
      },
    },
  },
];

/** Adds what is not there yet; what an operator changed stays. */
export async function addStandardMetadefs(db: Database, now: number, owner: string): Promise<void> {
  await db.tx(async (tx) => {
    const known = await tx
      .selectFrom('metadef_resource_types')
      .select('name')
      .where('name', 'in', [...RESOURCE_TYPES])
      .execute();
    // Once for a cloud: what an operator deleted does not come back.
    if (known.length > 0) return;
    await tx
      .insertInto('metadef_resource_types')
      .values(RESOURCE_TYPES.map((name) => ({ name, created_at: now, updated_at: now })))
      .execute();
    for (const namespace of STANDARD_NAMESPACES) await insertNamespace(tx, now, owner, namespace);
  });
}
