// Why a server found no host, taken from the message that the scheduler leaves in its fault; and what to do about it.

export type Refusal = {
  /** Of the scheduler, e.g. 'memory'. */
  filter: string;
  /** How many hosts it refused. */
  hosts: number;
  examples: readonly { host: string; message: string }[];
};

export type NoHost = {
  /** Hosts that were looked at. */
  considered: number;
  refusals: readonly Refusal[];
  /** Hosts whose filter the message does not say. */
  others: readonly { host: string; message: string }[];
};

export const filterNames = [
  'state',
  'host',
  'zone',
  'type',
  'architecture',
  'capability',
  'cpu',
  'memory',
  'disk',
  'group',
  'hint',
] as const;
export type FilterName = (typeof filterNames)[number];

export const isFilter = (name: string): name is FilterName =>
  (filterNames as readonly string[]).includes(name);

const HEAD =
  /^No valid host was found\. (?:There are no hosts in this cloud\.|There are not enough hosts available: (\d+) considered(?:, refused by ([a-z]+ \d+(?:, [a-z]+ \d+)*))?\.)/;
const EXAMPLE = /(\S+): (.+?)\.(?= \S+: |\s*$)/g;

/** How a filter begins what it says of a host: src/control/placement/scheduler.ts. */
const SPOKEN: readonly (readonly [FilterName, RegExp])[] = [
  ['state', /^the host is (?:down|disabled)/],
  ['host', /^host \S+ was requested/],
  ['zone', /^zone \S+ requested/],
  ['type', /^the host runs no servers of type/],
  ['architecture', /^architecture \S+ requested/],
  ['capability', /^lacks /],
  ['cpu', /^cpu /],
  ['memory', /^memory /],
  ['disk', /^disk /],
  ['group', /server group forbids it$/],
  ['hint', /(?:different_host|same_host) names is on it$/],
];

const filterOf = (message: string): FilterName | null =>
  SPOKEN.find(([, pattern]) => pattern.test(message))?.[0] ?? null;

/** null: the message is of something else. */
export function readNoHost(message: string): NoHost | null {
  const head = HEAD.exec(message);
  if (head === null) return null;
  const examples = [...message.slice(head[0].length).matchAll(EXAMPLE)].map(([, host = '', text = '']) => ({
    host,
    message: text,
  }));
  const refusals = (head[2] ?? '').split(', ').flatMap((one): Refusal[] => {
    const [filter = '', hosts = ''] = one.split(' ');
    if (filter === '') return [];
    return [
      {
        filter,
        hosts: Number(hosts),
        examples: examples.filter((each) => filterOf(each.message) === filter),
      },
    ];
  });
  return {
    considered: Number(head[1] ?? 0),
    refusals,
    others: examples.filter((each) => !refusals.some(({ filter }) => filter === filterOf(each.message))),
  };
}
