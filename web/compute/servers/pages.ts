// The pages of servers.
import type { PageEntry } from '../../kit/page-entry.ts';

export const serverPages: readonly PageEntry[] = [
  { path: '/servers', load: async () => (await import('./servers-page.tsx')).ServersPage },
  { path: '/servers/create', load: async () => (await import('./create/create-page.tsx')).CreatePage },
  { path: '/servers/$id', load: async () => (await import('./detail/server-page.tsx')).ServerPage },
];
