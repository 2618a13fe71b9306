// `?password_expires_at=lt:2026-01-02T03:04:05Z`, on lists of users: api-ref "List users".
import type { SelectQueryBuilder } from 'kysely';
import { Type } from 'typebox';
import type { Tables } from '../../../kernel/db/index.ts';
import { badRequest } from '../../../kernel/errors.ts';
import { text } from '../../../kernel/schema.ts';
import type { UserRow } from './table.ts';

export const expiryFilter = { password_expires_at: Type.Optional(text(64)) };

const OPERATORS = { lt: '<', lte: '<=', gt: '>', gte: '>=', eq: '=', neq: '!=' } as const;

export function byExpiry(
  rows: SelectQueryBuilder<Tables, 'users', UserRow>,
  asked: string | undefined,
): SelectQueryBuilder<Tables, 'users', UserRow> {
  if (asked === undefined) return rows;
  const [, operator = 'eq', time = ''] =
    /^(?:(lt|lte|gt|gte|eq|neq):)?(\d{4}-\d{2}-\d{2}T[\d:.]+Z?)$/.exec(asked) ?? [];
  const at = Date.parse(time.endsWith('Z') ? time : `${time}Z`);
  if (Number.isNaN(at))
    throw badRequest(
      `Invalid input for password_expires_at. Value: ${asked}. It must be a time, or OPERATOR:TIME with lt, lte, gt, gte, eq or neq.`,
    );
  return rows.where('password_expires_at', OPERATORS[operator as keyof typeof OPERATORS], at);
}
