// The pages of the network service.
import type { PageEntry } from '../kit/page-entry.ts';

export const networkPages: readonly PageEntry[] = [
  { path: '/topology', load: async () => (await import('./topology/topology-page.tsx')).TopologyPage },
  { path: '/networks', load: async () => (await import('./networks/networks-page.tsx')).NetworksPage },
  { path: '/networks/$id', load: async () => (await import('./networks/network-page.tsx')).NetworkPage },
  { path: '/routers', load: async () => (await import('./routers/routers-page.tsx')).RoutersPage },
  { path: '/routers/$id', load: async () => (await import('./routers/router-page.tsx')).RouterPage },
  {
    path: '/floating-ips',
    load: async () => (await import('./floating-ips/floating-ips-page.tsx')).FloatingIpsPage,
  },
  {
    path: '/security-groups',
    load: async () => (await import('./security-groups/security-groups-page.tsx')).SecurityGroupsPage,
  },
  {
    path: '/security-groups/$id',
    load: async () => (await import('./security-groups/security-group-page.tsx')).SecurityGroupPage,
  },
];
