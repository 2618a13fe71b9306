// Whether the parts of a server may be changed by the one who looks.
import { useText } from '../../../kit/language.tsx';
import { isOperator, isReader, useSession } from '../../../kit/session.ts';
import type { Server } from '../server.ts';
import { partsText } from './parts-text.ts';

/** Why not; null: they may. */
export function useWhyNot({ locked }: Pick<Server, 'locked'>): string | null {
  const t = useText(partsText);
  const session = useSession();
  if (isReader(session)) return t.readOnly;
  return locked && !isOperator(session) ? t.locked : null;
}
