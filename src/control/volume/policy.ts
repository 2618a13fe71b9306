// Who may do what in block storage: Cinder's secure-RBAC defaults. Ownership is checked against what is stored.
import { rules, type Policies, type Policy, type Rule } from '../../kernel/policy.ts';

const may = (description: string, ...anyOf: Rule[]): Policy => ({ description, anyOf });
const reader = (description: string): Policy => may(description, rules.projectReader, rules.admin);
const member = (description: string): Policy => may(description, rules.projectMember, rules.admin);
const operator = (description: string): Policy => may(description, rules.admin);

export const volumePolicies = {
  'volume:versions': may('Discover the API versions', rules.anyone),
  'volume:extensions': reader('List the API extensions'),
  'volume:volumes:list': reader('List volumes'),
  'volume:volumes:show': reader('Show a volume'),
  'volume:volumes:create': member('Create volumes'),
  'volume:volumes:update': member('Change name, description and flags of a volume'),
  'volume:volumes:delete': member('Delete a volume'),
  'volume:volumes:extend': member('Make a volume larger'),
  'volume:volumes:retype': member('Give a volume another type'),
  'volume:volumes:attach': member('Reserve, attach and detach a volume'),
  'volume:volumes:upload': member('Make an image of a volume'),
  'volume:volumes:revert': member('Return a volume to a snapshot'),
  'volume:volumes:force': operator('Reset the status of volumes, delete and detach them whatever it is'),
  'volume:volumes:metadata': member('Change the metadata of a volume'),
  'volume:snapshots:list': reader('List snapshots'),
  'volume:snapshots:show': reader('Show a snapshot'),
  'volume:snapshots:create': member('Create snapshots'),
  'volume:snapshots:update': member('Change a snapshot'),
  'volume:snapshots:delete': member('Delete a snapshot'),
  'volume:snapshots:force': operator('Reset the status of snapshots, delete them whatever it is'),
  'volume:attachments:list': reader('List and show attachments'),
  'volume:attachments:manage': member('Create, complete and delete attachments'),
  'volume:types:list': reader('List and show volume types'),
  'volume:types:manage': operator('Create, change and delete volume types'),
  'volume:qos': operator('Administer QoS specifications'),
  'volume:transfers:list': reader('List and show transfers'),
  'volume:transfers:manage': member('Offer, accept and withdraw transfers'),
  'volume:quotas:show': reader('Show quotas'),
  'volume:quotas:manage': operator('Change quotas'),
  'volume:limits': reader('Show limits and usage'),
  'volume:zones': reader('List availability zones'),
  'volume:services': operator('Show, enable and disable the services of block storage'),
  'volume:pools': operator('Show where volumes are kept'),
} as const satisfies Policies;
