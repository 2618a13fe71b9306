// Tokens of the identity API: by password, and for another project of the same user.
import { ApiError, messageOf } from './api.ts';
import type { Named, Session } from './session.ts';

type TokenBody = {
  token: {
    expires_at: string;
    user: Named & { domain: Named };
    project?: Named & { domain: Named };
    roles?: Named[];
  };
};

type Scope =
  | { project: { id: string } }
  | { domain: { id: string } }
  | { system: { all: true } }
  | 'unscoped';

async function issue(identity: object, scope?: Scope): Promise<Session> {
  let response: Response;
  try {
    response = await fetch('/identity/v3/auth/tokens?nocatalog', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ auth: { identity, ...(scope === undefined ? {} : { scope }) } }),
      credentials: 'omit',
      cache: 'no-store',
    });
  } catch (error) {
    throw new ApiError(0, error instanceof Error ? error.message : String(error), null);
  }
  const text = await response.text();
  const value = response.headers.get('x-subject-token');
  if (!response.ok || value === null)
    throw new ApiError(
      response.status,
      messageOf(text, response.status),
      response.headers.get('x-openstack-request-id'),
    );
  const { token } = JSON.parse(text) as TokenBody;
  return {
    token: value,
    expiresAt: token.expires_at,
    user: { id: token.user.id, name: token.user.name, domain: token.user.domain },
    project: token.project ?? null,
    roles: (token.roles ?? []).map(({ name }) => name),
  };
}

export type Credentials = { domain: string; user: string; password: string };

const byPassword = ({ domain, user, password }: Credentials): object => ({
  methods: ['password'],
  password: { user: { name: user, domain: { name: domain }, password } },
});

/** Projects in which the user of a token has a role. */
export async function projectsOf(token: string): Promise<(Named & { enabled: boolean })[]> {
  const response = await fetch('/identity/v3/auth/projects', {
    headers: { 'x-auth-token': token, accept: 'application/json' },
    credentials: 'omit',
    cache: 'no-store',
  });
  if (!response.ok)
    throw new ApiError(response.status, messageOf(await response.text(), response.status), null);
  return ((await response.json()) as { projects: (Named & { enabled: boolean })[] }).projects;
}

/** For the user's default project, else the first in which it has a role, else for none. */
export async function signIn(credentials: Credentials, projectId?: string): Promise<Session> {
  const first = await issue(
    byPassword(credentials),
    projectId === undefined ? undefined : { project: { id: projectId } },
  );
  if (first.project !== null) return first;
  const project = (await projectsOf(first.token)).find(({ enabled }) => enabled);
  return project === undefined ? first : issue(byToken(first.token), { project: { id: project.id } });
}

const byToken = (token: string): object => ({ methods: ['token'], token: { id: token } });

export const switchProject = (session: Session, projectId: string): Promise<Session> =>
  issue(byToken(session.token), { project: { id: projectId } });

/** Revokes the token; a cloud that cannot be reached does not keep anybody signed in. */
export async function revoke(session: Session): Promise<void> {
  await fetch('/identity/v3/auth/tokens', {
    method: 'DELETE',
    headers: { 'x-auth-token': session.token, 'x-subject-token': session.token },
    credentials: 'omit',
  }).catch(() => {});
}
