// Who is signed in. The token lives in this tab alone: never in localStorage, never in an address.
import { useSyncExternalStore } from 'react';

export type Named = { id: string; name: string };

export type Session = {
  token: string;
  /** ISO 8601 */
  expiresAt: string;
  user: Named & { domain: Named };
  /** null: a token of a domain, the system, or of nothing. */
  project: (Named & { domain: Named }) | null;
  roles: readonly string[];
};

const KEPT_AS = 'strata-session';

type State = {
  session: Session | null;
  /** The token ran out or was revoked; what is on the screen stays until its user signed in again. */
  expired: boolean;
};

const restore = (): Session | null => {
  const kept = sessionStorage.getItem(KEPT_AS);
  if (kept === null) return null;
  const session = JSON.parse(kept) as Session;
  return new Date(session.expiresAt).getTime() > Date.now() ? session : null;
};

let state: State = { session: restore(), expired: false };
const listeners = new Set<() => void>();
let renewed: PromiseWithResolvers<void> | null = null;

function change(next: State): void {
  state = next;
  if (next.session === null) sessionStorage.removeItem(KEPT_AS);
  else sessionStorage.setItem(KEPT_AS, JSON.stringify(next.session));
  for (const listener of listeners) listener();
}

export const currentSession = (): Session | null => state.session;

/** Begins or renews; calls that wait since the old one expired go on. */
export function startSession(session: Session): void {
  change({ session, expired: false });
  renewed?.resolve();
  renewed = null;
}

export function endSession(): void {
  change({ session: null, expired: false });
  renewed?.reject(new DOMException('The user signed out.', 'AbortError'));
  renewed = null;
}

/** Resolves when the user signed in again; rejects with AbortError when they signed out. */
export async function sessionExpired(token: string): Promise<void> {
  if (state.session === null) throw new DOMException('Nobody is signed in.', 'AbortError');
  // Another call may have had the session renewed while this one was under way.
  if (state.session.token !== token) return;
  renewed ??= Promise.withResolvers<void>();
  if (!state.expired) change({ ...state, expired: true });
  await renewed.promise;
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useSessionState = (): State => useSyncExternalStore(subscribe, () => state);

/** The session; only below the sign-in page, where there is one. */
export function useSession(): Session {
  const { session } = useSessionState();
  if (session === null) throw new Error('Nobody is signed in.');
  return session;
}

/** May see and change what belongs to others: the operator's pages are for them. */
export const isOperator = (session: Session | null): boolean =>
  session?.roles.some((role) => role === 'admin') ?? false;

/** Has no right to change anything in its project. */
export const isReader = (session: Session | null): boolean =>
  session !== null && !session.roles.some((role) => ['member', 'manager', 'admin'].includes(role));
