// The pages of consoles.
import type { PageEntry } from '../../kit/page-entry.ts';

export const consolePages: readonly PageEntry[] = [
  {
    path: '/servers/$id/console',
    load: async () => (await import('./console-page.tsx')).ConsolePage,
    bare: true,
  },
  {
    path: '/console',
    load: async () => (await import('./address-page.tsx')).AddressPage,
    bare: true,
    open: true,
  },
];
