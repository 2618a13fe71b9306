// The pages of what servers are made with.
import type { PageEntry } from '../kit/page-entry.ts';

export const computePages: readonly PageEntry[] = [
  { path: '/flavors', load: async () => (await import('./flavors/flavors-page.tsx')).FlavorsPage },
  { path: '/keypairs', load: async () => (await import('./keypairs/keypairs-page.tsx')).KeypairsPage },
];
