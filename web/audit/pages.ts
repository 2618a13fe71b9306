// The audit log.
import type { PageEntry } from '../kit/page-entry.ts';

export const auditPages: readonly PageEntry[] = [
  { path: '/audit-log', load: async () => (await import('./audit-page.tsx')).AuditPage },
];
