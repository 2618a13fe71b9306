// The rules of a QoS policy: what each kind may say, and how it looks. Pure.
import { Type, type TObject } from 'typebox';
import { integer, strict } from '../../../kernel/schema.ts';
import type { QosRuleRow } from './table.ts';

const MAX_KBPS = 2_147_483_647;
/** Those that have a name (RFC 2474, 2597, 3246, 5865), as Neutron takes them. */
export const dscpMarks = [
  0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56,
];
const directions = ['egress', 'ingress'] as const;

export type RuleKind = {
  type: 'bandwidth_limit' | 'dscp_marking';
  create: TObject;
  update: TObject;
  /** The columns that a request sets; what it does not name stays, or is the default. */
  columns(input: Readonly<Record<string, unknown>>, before: QosRuleRow): Partial<QosRuleRow>;
  view(row: QosRuleRow): object;
  /** As GET /qos/rule-types/<type> says it. */
  parameters: readonly { parameter_name: string; parameter_type: string; parameter_values: unknown }[];
};

const range = { start: 0, end: MAX_KBPS };
const limit = {
  max_burst_kbps: Type.Optional(integer(0, MAX_KBPS)),
  direction: Type.Optional(Type.Union(directions.map((name) => Type.Literal(name)))),
};
const mark = Type.Union(dscpMarks.map((value) => Type.Literal(value)));

export const ruleKinds = {
  bandwidth_limit: {
    type: 'bandwidth_limit',
    create: strict({ max_kbps: integer(0, MAX_KBPS), ...limit }),
    update: strict({ max_kbps: Type.Optional(integer(0, MAX_KBPS)), ...limit }),
    columns: (input, before) => ({
      max_kbps: (input['max_kbps'] as number | undefined) ?? before.max_kbps,
      max_burst_kbps: (input['max_burst_kbps'] as number | undefined) ?? before.max_burst_kbps,
      direction: (input['direction'] as string | undefined) ?? (before.direction || 'egress'),
    }),
    view: (row) => ({
      id: row.id,
      max_kbps: row.max_kbps,
      max_burst_kbps: row.max_burst_kbps,
      direction: row.direction,
    }),
    parameters: [
      { parameter_name: 'max_kbps', parameter_type: 'range', parameter_values: range },
      { parameter_name: 'max_burst_kbps', parameter_type: 'range', parameter_values: range },
      { parameter_name: 'direction', parameter_type: 'choices', parameter_values: directions },
    ],
  },
  dscp_marking: {
    type: 'dscp_marking',
    create: strict({ dscp_mark: mark }),
    update: strict({ dscp_mark: Type.Optional(mark) }),
    columns: (input, before) => ({
      dscp_mark: (input['dscp_mark'] as number | undefined) ?? before.dscp_mark,
    }),
    view: (row) => ({ id: row.id, dscp_mark: row.dscp_mark }),
    parameters: [{ parameter_name: 'dscp_mark', parameter_type: 'choices', parameter_values: dscpMarks }],
  },
} as const satisfies Record<string, RuleKind>;

export const ruleInPolicy = (row: QosRuleRow): object => ({
  ...(row.type === 'dscp_marking' ? ruleKinds.dscp_marking : ruleKinds.bandwidth_limit).view(row),
  type: row.type,
  qos_policy_id: row.qos_policy_id,
});
