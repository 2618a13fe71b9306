// What an installation begins with: the default domain, the roles that the policies rest on, an operator and
// a first tenant. Runs at every start; what is there is left as it is, above all passwords.
import type { Platform } from '../../kernel/platform.ts';
import type { Tx } from '../../kernel/db/index.ts';
import { DEFAULT_DOMAIN, type Rows } from './identity.ts';
import type { ScopeKind } from './assignments/table.ts';
import type { Passwords } from './users/password-hash.ts';

const ROLES = ['admin', 'manager', 'member', 'reader', 'service'];
/** Each implies the next. */
const CHAIN = ['admin', 'manager', 'member', 'reader'];
const ACCOUNTS = ['admin', 'demo'] as const;
type Account = (typeof ACCOUNTS)[number];

/** Objects that others begin with: what is built in belongs to the operators' project. */
export type Bootstrapped = { adminProjectId: string; demoProjectId: string };

const userNamed = (rows: Rows, name: string) =>
  rows
    .selectFrom('users')
    .select('id')
    .where('domain_id', '=', DEFAULT_DOMAIN)
    .where('name_key', '=', name)
    .executeTakeFirst();
const projectNamed = (rows: Rows, name: string) =>
  rows
    .selectFrom('projects')
    .select('id')
    .where('domain_id', '=', DEFAULT_DOMAIN)
    .where('name_key', '=', name)
    .executeTakeFirst();

async function makeRoles(tx: Tx, platform: Platform): Promise<Map<string, string>> {
  for (const name of ROLES) {
    const row = {
      id: platform.ids.hex(),
      domain_id: '',
      name,
      name_key: name,
      description: '',
      immutable: 1,
      builtin: 1,
      extra: '{}',
    };
    await tx
      .insertInto('roles')
      .values(row)
      .onConflict((oc) => oc.columns(['domain_id', 'name_key']).doNothing())
      .execute();
  }
  const rows = await tx
    .selectFrom('roles')
    .select(['id', 'name'])
    .where('name_key', 'in', ROLES)
    .where('domain_id', '=', '')
    .execute();
  const ids = new Map(rows.map((row) => [row.name, row.id]));
  for (const [at, name] of CHAIN.entries()) {
    const [prior, implied] = [ids.get(name), ids.get(CHAIN[at + 1] ?? '')];
    if (prior !== undefined && implied !== undefined)
      await tx
        .insertInto('implied_roles')
        .values({ prior_id: prior, implied_id: implied })
        .onConflict((oc) => oc.doNothing())
        .execute();
  }
  return ids;
}

async function makeProject(tx: Tx, platform: Platform, name: string): Promise<string> {
  const row = {
    id: platform.ids.hex(),
    domain_id: DEFAULT_DOMAIN,
    parent_id: DEFAULT_DOMAIN,
    name,
    name_key: name,
    description: '',
    enabled: 1,
    tags: '[]',
    immutable: 0,
    extra: '{}',
  };
  await tx
    .insertInto('projects')
    .values(row)
    .onConflict((oc) => oc.columns(['domain_id', 'name_key']).doNothing())
    .execute();
  return (await projectNamed(tx, name))?.id ?? row.id;
}

async function makeUser(
  tx: Tx,
  platform: Platform,
  name: Account,
  passwordHash: string | null,
): Promise<string> {
  const row = {
    id: platform.ids.hex(),
    domain_id: DEFAULT_DOMAIN,
    name,
    name_key: name,
    password_hash: passwordHash,
    email: null,
    description: null,
    default_project_id: null,
    enabled: 1,
    failed_logins: 0,
    failed_at: 0,
    old_passwords: '[]',
    options: '{}',
    extra: '{}',
    password_created_at: platform.clock.now(),
    password_expires_at: null,
    password_by_self: 0,
    last_active_at: platform.clock.now(),
  };
  await tx
    .insertInto('users')
    .values(row)
    .onConflict((oc) => oc.columns(['domain_id', 'name_key']).doNothing())
    .execute();
  return (await userNamed(tx, name))?.id ?? row.id;
}

export async function bootstrap(
  platform: Platform,
  passwords: Passwords,
  plain: Record<Account, string>,
): Promise<Bootstrapped> {
  const hashes: Record<Account, string | null> = { admin: null, demo: null };
  for (const name of ACCOUNTS)
    if ((await userNamed(platform.db.read, name)) === undefined)
      hashes[name] = await passwords.hash(plain[name]);
  return platform.db.tx(
    async (tx) => {
      await tx
        .insertInto('domains')
        .values({
          id: DEFAULT_DOMAIN,
          name: 'Default',
          name_key: 'default',
          description: 'The default domain',
          enabled: 1,
          immutable: 0,
          extra: '{}',
        })
        .onConflict((oc) => oc.doNothing())
        .execute();
      const roles = await makeRoles(tx, platform);
      const give = async (
        userId: string,
        role: string,
        scope_kind: ScopeKind,
        scope_id: string,
      ): Promise<void> => {
        const role_id = roles.get(role);
        if (role_id === undefined) throw new Error(`the role ${role} is missing after it was made`);
        await tx
          .insertInto('role_assignments')
          .values({ actor_kind: 'user', actor_id: userId, scope_kind, scope_id, role_id, inherited: 0 })
          .onConflict((oc) => oc.doNothing())
          .execute();
      };
      const [admin, demo] = [
        await makeUser(tx, platform, 'admin', hashes.admin),
        await makeUser(tx, platform, 'demo', hashes.demo),
      ];
      const adminProjectId = await makeProject(tx, platform, 'admin');
      const demoProjectId = await makeProject(tx, platform, 'demo');
      await give(admin, 'admin', 'project', adminProjectId);
      await give(admin, 'admin', 'domain', DEFAULT_DOMAIN);
      await give(admin, 'admin', 'system', '');
      await give(demo, 'member', 'project', demoProjectId);
      return { adminProjectId, demoProjectId };
    },
    { locks: ['identity-bootstrap'] },
  );
}
