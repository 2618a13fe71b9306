// The audit log: docs/operate/README.md, "The audit log".
import { api } from '../kit/api.ts';

export type AuditEvent = {
  id: string;
  /** ISO 8601 */
  time: string;
  /** The policy that allowed it, e.g. 'compute:servers:create'. */
  action: string;
  target_type: string;
  target_id: string;
  user_id: string | null;
  user_name: string | null;
  project_id: string | null;
  project_name: string | null;
  request_id: string;
};

/** As the API calls them; absent or '': not filtered by that. */
export type EventFilter = {
  project_id?: string;
  user_id?: string;
  /** Exact, or a beginning with `*` at its end. */
  action?: string;
  target_type?: string;
  target_id?: string;
  /** ISO 8601 */
  since?: string;
  until?: string;
};

export type EventPage = { events: AuditEvent[]; events_links?: { rel: string; href: string }[] };

/** Newest first; `marker`: the last event of the page before. */
export const readEvents = (
  filter: EventFilter,
  limit: number,
  marker: string | undefined,
): Promise<EventPage> =>
  api.get('/audit/v1/events', {
    ...Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined && value !== '')),
    limit,
    ...(marker === undefined ? {} : { marker }),
  });
