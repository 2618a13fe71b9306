// Who may do what in compute: Nova's secure-RBAC defaults. Ownership is checked against what is stored.
import { type Policies, type Policy, type Rule, rules } from '../../kernel/policy.ts';

const may = (description: string, ...anyOf: Rule[]): Policy => ({ description, anyOf });
const reader = (description: string): Policy => may(description, rules.projectReader, rules.admin);
const member = (description: string): Policy => may(description, rules.projectMember, rules.admin);
const operator = (description: string): Policy => may(description, rules.admin);

export const computePolicies = {
  'compute:versions': may('Discover the API versions', rules.anyone),
  'compute:extensions': reader('List the API extensions'),
  'compute:servers:list': reader('List servers'),
  'compute:servers:show': reader('Show a server'),
  'compute:servers:create': member('Create servers'),
  'compute:servers:update': member('Rename or describe a server'),
  'compute:servers:delete': member('Delete a server'),
  'compute:servers:start': member('Start a server'),
  'compute:servers:stop': member('Stop a server'),
  'compute:servers:reboot': member('Reboot a server'),
  'compute:servers:pause': member('Pause a server'),
  'compute:servers:unpause': member('Unpause a server'),
  'compute:servers:suspend': member('Suspend a server'),
  'compute:servers:resume': member('Resume a server'),
  'compute:servers:lock': member('Lock a server'),
  'compute:servers:unlock': member('Unlock a server'),
  'compute:servers:reset-state': operator('Clear or set the fault of a server'),
  'compute:servers:console-output': member('Read the console log of a server'),
  'compute:servers:metadata': member('Change the metadata of a server'),
  'compute:servers:security-groups': member('Change the security groups of a server'),
  'compute:servers:rebuild': member('Rebuild a server'),
  'compute:servers:create-image': member('Make an image of a server'),
  'compute:servers:volumes': member('Attach volumes to a server and detach them'),
  'compute:servers:tags': member('Change the tags of a server'),
  'compute:servers:actions': reader('Read the history of a server'),
  'compute:flavors:list': reader('List and show flavors'),
  'compute:flavors:manage': operator('Create, change and delete flavors'),
  'compute:images:list': reader('List and show images'),
  'compute:images:delete': member('Delete an image'),
  'compute:keypairs:list': may('List and show key pairs', rules.owner, rules.admin),
  'compute:keypairs:manage': may('Create and delete key pairs', rules.owner, rules.admin),
  'compute:security-groups:list': reader('List and show security groups'),
  'compute:security-groups:manage': member('Create, change and delete security groups'),
  'compute:server-groups:list': reader('List and show server groups'),
  'compute:server-groups:manage': member('Create and delete server groups'),
  'compute:aggregates': operator('Administer host aggregates'),
  'compute:hypervisors': operator('Show hypervisors'),
  'compute:services': operator('Show, enable and disable compute services'),
  'compute:availability-zones:list': reader('List availability zones'),
  'compute:availability-zones:detail': operator('List availability zones with their hosts'),
  'compute:quotas:show': reader('Show quotas'),
  'compute:quotas:manage': operator('Change quotas'),
  'compute:limits': reader('Show the limits and usage of a project'),
} as const satisfies Policies;
