// Which tokens end when somebody loses a role.
import { subjects } from '../tokens/revocations.ts';
import type { AssignmentRow } from './table.ts';

/** What a holder loses: the tokens of the scope; of an inherited role all, because they do not say what is above them. */
export const lost = (
  userId: string,
  place: Pick<AssignmentRow, 'scope_kind' | 'scope_id' | 'inherited'>,
): string =>
  place.inherited === 1 ? subjects.user(userId) : subjects.grant(userId, place.scope_kind, place.scope_id);
