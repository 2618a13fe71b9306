// What every service is given: the injected world. A plain object, made once by the program or by the testkit.
import type { Clock } from './clock.ts';
import type { Database } from './db/index.ts';
import type { Ids, Rng } from './ids.ts';
import type { Log } from './log.ts';
import type { Actor } from './policy.ts';
import type { Quotas } from './quota.ts';
import type { WorkQueue } from './work.ts';

export type Platform = {
  db: Database;
  clock: Clock;
  ids: Ids;
  rng: Rng;
  log: Log;
  work: WorkQueue;
  quotas: Quotas;
  /** e.g. http://127.0.0.1:8774, without a trailing slash: what the catalog and links show. */
  publicUrl: string;
  region: string;
};

/** One request on its way through the services: the world, who asks, and by which policy it got here. */
export type Ctx = {
  platform: Platform;
  actor: Actor;
  requestId: string;
  /** The minor of the negotiated microversion; 0 where the service has none. */
  microversion: number;
  /** Name of the policy that let the request in; goes into the audit record. */
  action: string;
  /** The request's If-Match header: the change applies to this state of the object only. */
  ifMatch?: string;
};
