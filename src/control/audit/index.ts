// The audit service: who changed what and when, for the console and for operators. An API of Strata's own, in the
// manner of the others; what it reads is written by every service (kernel/audit.ts).
import { keystoneFault } from '../../kernel/http/faults.ts';
import type { Service } from '../../kernel/http/route.ts';
import { auditPolicies, auditRoutes } from './routes.ts';

export const createAuditService = (): Service => ({
  name: 'audit',
  type: 'audit',
  prefix: '/audit',
  fault: keystoneFault,
  policies: auditPolicies,
  routes: auditRoutes,
  migrations: [],
  work: {},
});
