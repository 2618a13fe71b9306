// Revocation: events in the database, known to every process by heart, so that a validation asks no database.
// A token carries the number of the last event that was committed when its rights were read; an event about
// it with a higher number revokes it. No clock takes part, so no race between a login and a change is lost.
import type { Clock } from '../../../kernel/clock.ts';
import { nextCounter, type Database, type Reader, type Tx } from '../../../kernel/db/index.ts';
import type { Log } from '../../../kernel/log.ts';
import type { ScopeKind } from '../assignments/table.ts';
import type { Claims } from './codec.ts';

const COUNTER = 'identity-revocation';
/** Events outlive every token that was issued before them, also those of a longer lifetime before a restart. */
const KEEP_AT_LEAST_MS = 24 * 3_600_000;
/** How long after its expiry a token can still be looked at with `allow_expired`, as Keystone's default. */
export const EXPIRED_WINDOW_MS = 48 * 3_600_000;
/** Finds what a lost wake-up left. */
const SCAN_MS = 5_000;
const ROWS_A_STATEMENT = 300;

/** Transactions that revoke run one after the other: they all count on one counter. */
export const revoking = { locks: [COUNTER] } as const;

/** What a revocation event may be about. */
export const subjects = {
  token: (auditId: string) => `token ${auditId}`,
  chain: (chainId: string) => `chain ${chainId}`,
  user: (userId: string) => `user ${userId}`,
  project: (projectId: string) => `project ${projectId}`,
  domain: (domainId: string) => `domain ${domainId}`,
  role: (roleId: string) => `role ${roleId}`,
  /** The tokens of an application credential. */
  credential: (credentialId: string) => `credential ${credentialId}`,
  trust: (trustId: string) => `trust ${trustId}`,
  /** The tokens of a user with this scope. */
  grant: (userId: string, kind: ScopeKind, scopeId: string) => `grant ${userId} ${kind} ${scopeId}`,
};

/** Every subject by which a token can be revoked. */
export function subjectsOf(claims: Claims): string[] {
  const { user, scope } = claims;
  const list = [
    subjects.token(claims.auditId),
    subjects.chain(claims.chainId),
    subjects.user(user.id),
    subjects.domain(user.domainId),
    ...claims.roles.map((role) => subjects.role(role.id)),
  ];
  if (claims.credential !== undefined) list.push(subjects.credential(claims.credential.id));
  if (claims.trust !== undefined) {
    const { id, trustorId, trusteeId, sourceId } = claims.trust;
    list.push(
      subjects.trust(id),
      subjects.user(trustorId),
      subjects.user(trusteeId),
      subjects.user(sourceId),
    );
    if (scope.type === 'project') list.push(subjects.grant(sourceId, 'project', scope.id));
  }
  if (scope.type === 'project') list.push(subjects.project(scope.id), subjects.domain(scope.domainId));
  if (scope.type === 'domain') list.push(subjects.domain(scope.id));
  if (scope.type !== 'unscoped')
    list.push(subjects.grant(user.id, scope.type, scope.type === 'system' ? '' : scope.id));
  return list;
}

export type Revocations = {
  /** Until it has been called, nothing may be judged. Repeated calls share the first load. */
  load(): Promise<void>;
  loaded(): boolean;
  isRevoked(subjects: readonly string[], sequence: number): boolean;
  /** In the transaction of the change that takes rights away; in force in this process as soon as that commits. */
  revoke(
    tx: Tx,
    subjects: readonly string[],
    /** Milliseconds since the epoch: when the last token concerned expires, where that is known. */
    until?: number,
  ): Promise<void>;
  /** The number of the last committed event: to be read before the rows from which a token is made. */
  sequence(db: Reader): Promise<number>;
  close(): void;
};

export function createRevocations(db: Database, clock: Clock, log: Log, tokenTtlMs: number): Revocations {
  const last = new Map<string, { sequence: number; expiresAt: number }>();
  const keepMs = Math.max(tokenTtlMs, KEEP_AT_LEAST_MS) + EXPIRED_WINDOW_MS;
  let seen = 0;
  let isLoaded = false;
  let closed = false;
  let running: Promise<void> | null = null;
  let again = false;
  let listening = false;
  let cancelScan = (): void => {};
  let stopListening = (): void => {};

  const apply = (subject: string, sequence: number, expiresAt: number): void => {
    const known = last.get(subject);
    if (known === undefined || known.sequence < sequence) last.set(subject, { sequence, expiresAt });
  };
  const read = async (): Promise<void> => {
    const rows = await db.read
      .selectFrom('revocations')
      .selectAll()
      .where('sequence', '>', seen)
      .orderBy('sequence')
      .execute();
    for (const row of rows) apply(row.subject, row.sequence, row.expires_at);
    seen = rows.at(-1)?.sequence ?? seen;
    isLoaded = true;
  };
  /** One read at a time; wake-ups during it share the one after it. */
  const refresh = (): Promise<void> => {
    if (running !== null) {
      again = true;
      return running;
    }
    running = read().finally(() => {
      running = null;
      if (again && !closed) {
        again = false;
        wake();
      }
    });
    return running;
  };
  const wake = (): void => {
    if (!closed)
      refresh().catch((error: unknown) =>
        log.warn({ error: String(error) }, 'revocations could not be read; they are read again within 5 s'),
      );
  };
  const scan = (): void => {
    const now = clock.now();
    for (const [subject, event] of last) if (event.expiresAt < now) last.delete(subject);
    wake();
    cancelScan = clock.timer(SCAN_MS, scan);
  };

  return {
    async load() {
      await refresh();
      if (!listening && !closed) {
        listening = true;
        cancelScan = clock.timer(SCAN_MS, scan);
        stopListening = db.onNotify(wake);
      }
    },
    loaded: () => isLoaded,
    isRevoked: (list, sequence) =>
      last.size > 0 && list.some((subject) => (last.get(subject)?.sequence ?? 0) > sequence),
    async revoke(tx, list, until) {
      const unique = [...new Set(list)];
      if (unique.length === 0) return;
      const now = clock.now();
      const highest = await nextCounter(tx, COUNTER, unique.length);
      const rows = unique.map((subject, at) => ({
        sequence: highest - unique.length + 1 + at,
        subject,
        expires_at: until === undefined ? now + keepMs : until + EXPIRED_WINDOW_MS,
        revoked_at: now,
      }));
      for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT)
        await tx
          .insertInto('revocations')
          .values(rows.slice(at, at + ROWS_A_STATEMENT))
          .execute();
      await tx.deleteFrom('revocations').where('expires_at', '<', now).execute();
      tx.afterCommit(() => {
        for (const row of rows) apply(row.subject, row.sequence, row.expires_at);
        db.notify();
      });
    },
    async sequence(reader) {
      // Old rows go only when a newer one comes, so the last row always is the last event.
      const row = await reader
        .selectFrom('revocations')
        .select('sequence')
        .orderBy('sequence', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.sequence ?? 0;
    },
    close() {
      closed = true;
      cancelScan();
      stopListening();
    },
  };
}
