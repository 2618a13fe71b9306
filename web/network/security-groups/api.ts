// Security groups as the API gives them, and what can be done with them.
import { api, type Query } from '../../kit/api.ts';
import { listOf, oneOf } from '../lists.ts';

export type Rule = {
  id: string;
  security_group_id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  /** Name or number; null: any. */
  protocol: string | null;
  /** Of ICMP: type and code. */
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  description: string;
};

export type RuleBody = Omit<Partial<Rule>, 'id' | 'security_group_id'> &
  Pick<Rule, 'direction' | 'ethertype'>;

export type SecurityGroup = {
  id: string;
  name: string;
  description: string;
  project_id: string;
  /** Answers to what was let out are let in, and the other way round. */
  stateful: boolean;
  shared: boolean;
  security_group_rules: Rule[];
  created_at: string;
  updated_at: string;
};

export type SecurityGroupBody = { name?: string; description?: string; stateful?: boolean };

export const securityGroupsQuery = (query: Query = {}) =>
  listOf<SecurityGroup>('security-groups', 'security-groups', 'security_groups', query);
export const securityGroupQuery = (id: string) =>
  oneOf<SecurityGroup>('security-groups', 'security-groups', 'security_group', id);

export async function createSecurityGroup(group: SecurityGroupBody): Promise<string> {
  const made = await api.post<{ security_group: SecurityGroup }>('/network/v2.0/security-groups', {
    security_group: group,
  });
  return made.security_group.id;
}

export const updateSecurityGroup = (id: string, group: SecurityGroupBody): Promise<void> =>
  api.put(`/network/v2.0/security-groups/${id}`, { security_group: group });

export const deleteSecurityGroup = (id: string): Promise<void> =>
  api.delete(`/network/v2.0/security-groups/${id}`);

/** All of them or none. */
export const createRules = (groupId: string, rules: readonly RuleBody[]): Promise<void> =>
  api.post('/network/v2.0/security-group-rules', {
    security_group_rules: rules.map((rule) => ({ security_group_id: groupId, ...rule })),
  });

export const deleteRule = (id: string): Promise<void> =>
  api.delete(`/network/v2.0/security-group-rules/${id}`);
