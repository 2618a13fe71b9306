// The pages of the image service.
import type { PageEntry } from '../kit/page-entry.ts';

export const imagePages: readonly PageEntry[] = [
  { path: '/images', load: async () => (await import('./images/images-page.tsx')).ImagesPage },
  { path: '/images/$id', load: async () => (await import('./images/image-page.tsx')).ImagePage },
];
