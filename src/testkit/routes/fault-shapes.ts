// The error formats that OpenStack's clients parse, one a family of services: reads a refusal as they would.
import {
  glanceFault,
  keystoneFault,
  neutronFault,
  novaFault,
  placementFault,
  type Fault,
} from '../../kernel/http/faults.ts';

type Parse = (text: string, status: number) => string | null;

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const json = (text: string): Record<string, unknown> => {
  try {
    return record(JSON.parse(text));
  } catch {
    return {};
  }
};
const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value : null;

const parsers = new Map<Fault, Parse>([
  [
    keystoneFault,
    (text, status) => {
      const error = record(json(text)['error']);
      return error['code'] === status && textOf(error['title']) !== null ? textOf(error['message']) : null;
    },
  ],
  [
    novaFault,
    (text, status) => {
      const [[, fault] = [], ...others] = Object.entries(json(text));
      return others.length === 0 && record(fault)['code'] === status
        ? textOf(record(fault)['message'])
        : null;
    },
  ],
  [
    neutronFault,
    (text) => {
      const error = record(json(text)['NeutronError']);
      return textOf(error['type']) !== null && typeof error['detail'] === 'string'
        ? textOf(error['message'])
        : null;
    },
  ],
  [
    placementFault,
    (text, status) => {
      const [error] = (json(text)['errors'] ?? []) as unknown[];
      return record(error)['status'] === status && textOf(record(error)['request_id']) !== null
        ? textOf(record(error)['detail'])
        : null;
    },
  ],
  [
    glanceFault,
    (text, status) => {
      const found = new RegExp(`<title>${status} [^<]+</title>[\\s\\S]*</h1>([\\s\\S]*?)<br />`).exec(text);
      return textOf(found?.[1]?.trim());
    },
  ],
]);

/** The message of a refusal; null when the text is not in the service's own format or says nothing. */
export function messageOf(fault: Fault, text: string, status: number): string | null {
  const parse = parsers.get(fault);
  if (parse === undefined)
    throw new Error(
      'A service has a fault format that src/testkit/routes/fault-shapes.ts cannot read: add it.',
    );
  return parse(text, status);
}
