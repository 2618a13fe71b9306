// Projects, users, groups and roles.
import type { PageEntry } from '../kit/page-entry.ts';

export const identityPages: readonly PageEntry[] = [
  { path: '/projects', load: async () => (await import('./projects/projects-page.tsx')).ProjectsPage },
  { path: '/projects/$id', load: async () => (await import('./projects/project-page.tsx')).ProjectPage },
  {
    path: '/default-quotas',
    load: async () => (await import('./projects/default-quotas-page.tsx')).DefaultQuotasPage,
  },
  { path: '/users', load: async () => (await import('./users/users-page.tsx')).UsersPage },
  { path: '/users/$id', load: async () => (await import('./users/user-page.tsx')).UserPage },
  { path: '/groups', load: async () => (await import('./groups/groups-page.tsx')).GroupsPage },
  { path: '/groups/$id', load: async () => (await import('./groups/group-page.tsx')).GroupPage },
  { path: '/roles', load: async () => (await import('./roles/roles-page.tsx')).RolesPage },
];
