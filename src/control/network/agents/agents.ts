// Network agents: on every host one program does what several do in Neutron, and shows as one agent for each part,
// so that operators and their tools find them where they look.
import type { Reader } from '../../../kernel/db/index.ts';
import { notFound } from '../../../kernel/errors.ts';
import type { Platform } from '../../../kernel/platform.ts';
import { derivedId } from '../../../kernel/ids.ts';
import { HOST_DOWN_MS, listHosts, type HostRecord } from '../../host/index.ts';

type Db = Pick<Reader, 'selectFrom'>;

/** The parts, with the topic that Neutron's own would listen to. */
const kinds = {
  'DHCP agent': { topic: 'dhcp_agent', zoned: true },
  'L3 agent': { topic: 'l3_agent', zoned: true },
  'Linux bridge agent': { topic: 'N/A', zoned: false },
  'Metadata agent': { topic: 'N/A', zoned: false },
} as const;
export type AgentType = keyof typeof kinds;

export type Agent = {
  id: string;
  type: AgentType;
  host: HostRecord;
  description: string;
  adminStateUp: boolean;
};

const agentId = (hostId: string, type: AgentType): string => derivedId(`network agent ${hostId} ${type}`);

export async function listAgents(db: Db): Promise<Agent[]> {
  const said = new Map(
    (await db.selectFrom('network_agents').selectAll().execute()).map((row) => [row.id, row]),
  );
  return (await listHosts(db)).flatMap((host) =>
    (Object.keys(kinds) as AgentType[]).map((type) => {
      const id = agentId(host.id, type);
      const row = said.get(id);
      return {
        id,
        type,
        host,
        description: row?.description ?? '',
        adminStateUp: row?.admin_state_up !== 0,
      };
    }),
  );
}

export async function agentById(db: Db, id: string, type?: AgentType): Promise<Agent> {
  const agent = (await listAgents(db)).find(
    (one) => one.id === id && (type === undefined || one.type === type),
  );
  if (agent === undefined) throw notFound('Agent', id);
  return agent;
}

/** Hosts whose L3 agent an operator took out of service: they keep their routers and get no more. */
export async function hostsWithoutRouters(db: Db): Promise<Set<string>> {
  const rows = await db.selectFrom('network_agents').selectAll().where('admin_state_up', '=', 0).execute();
  return new Set(rows.filter((row) => row.id === agentId(row.host_id, 'L3 agent')).map((row) => row.host_id));
}

/** As Neutron writes the times of agents. */
const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

export function agentView(
  platform: Platform,
  agent: Agent,
  configurations: object = {},
): Record<string, unknown> {
  const { host, type } = agent;
  return {
    id: agent.id,
    agent_type: type,
    binary: 'strata-agent',
    topic: kinds[type].topic,
    host: host.hostname,
    availability_zone: kinds[type].zoned ? host.zone : null,
    admin_state_up: agent.adminStateUp,
    alive: platform.clock.now() - host.seenAt < HOST_DOWN_MS,
    created_at: stamp(host.registeredAt),
    started_at: stamp(host.registeredAt),
    heartbeat_timestamp: stamp(host.seenAt),
    description: agent.description === '' ? null : agent.description,
    resources_synced: null,
    configurations,
  };
}
