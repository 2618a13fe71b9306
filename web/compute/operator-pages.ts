// The operator's pages of compute.
import type { PageEntry } from '../kit/page-entry.ts';

export const computeOperatorPages: readonly PageEntry[] = [
  { path: '/hosts', load: async () => (await import('./hypervisors/hosts-page.tsx')).HostsPage },
  { path: '/hosts/$id', load: async () => (await import('./hypervisors/host-page.tsx')).HostPage },
  { path: '/services', load: async () => (await import('./services/services-page.tsx')).ServicesPage },
  { path: '/usage', load: async () => (await import('./usage/usage-page.tsx')).UsagePage },
];
