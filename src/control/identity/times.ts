// Times as Keystone takes and shows them: ISO 8601 with microseconds.
import type { Clock } from '../../kernel/clock.ts';
import { badRequest } from '../../kernel/errors.ts';

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?$/;
const ZONE = /(Z|[+-]\d{2}:\d{2})$/;

/** Microseconds since the epoch; null: none was given. 400 unless it is a time in the future. */
export function microsOf(clock: Clock, field: string, asked: string | null | undefined): number | null {
  if (asked === null || asked === undefined) return null;
  const stamp = ISO.test(asked) ? Date.parse(ZONE.test(asked.slice(16)) ? asked : `${asked}Z`) : Number.NaN;
  if (Number.isNaN(stamp))
    throw badRequest(`Invalid input for field ${field}. Value: ${asked}. It must be an ISO 8601 time.`);
  const micros = /\.\d{3}(\d{1,3})/.exec(asked)?.[1]?.padEnd(3, '0') ?? '0';
  if (stamp <= clock.now())
    throw badRequest(`Invalid input for field ${field}. Value: ${asked}. It must lie in the future.`);
  return stamp * 1000 + Number(micros);
}

/** Without a zone. */
export const isoOfMicros = (micros: number): string =>
  new Date(Math.floor(micros / 1000)).toISOString().replace('Z', String(micros % 1000).padStart(3, '0'));
