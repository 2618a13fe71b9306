// How far the manager of a domain reaches. Who can reset a user's password, or put a user into a group, can
// act with those roles: so users and groups that hold more than a manager may give are out of reach.
import { forbidden } from '../../../kernel/errors.ts';
import { isAdmin } from '../../../kernel/policy.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { chunks, type Rows } from '../identity.ts';
import { isDelegable, listedDomain } from '../policy.ts';
import { assignmentsOf } from './effective.ts';
import type { ActorKind, AssignmentRow } from './table.ts';

type Held = Pick<AssignmentRow, 'scope_kind' | 'scope_id' | 'role_id'>;

/** What others have handed to the user: who is let in as the user has that too. */
async function trustedWith(rows: Rows, userId: string): Promise<Held[]> {
  const trusts = await rows
    .selectFrom('trusts')
    .select(['project_id', 'roles'])
    .where('trustee_user_id', '=', userId)
    .execute();
  return trusts.flatMap((trust) =>
    (JSON.parse(trust.roles) as string[]).map((role_id): Held => ({
      scope_kind: 'project',
      scope_id: trust.project_id,
      role_id,
    })),
  );
}

/** Refuses with 403 unless all roles that `id` holds are ones that the actor could have given. */
export async function requireReach(rows: Rows, ctx: Ctx, kind: ActorKind, id: string): Promise<void> {
  if (isAdmin(ctx.actor)) return;
  const own = listedDomain(ctx.actor);
  const held: Held[] =
    kind === 'user'
      ? [...(await assignmentsOf(rows, id)), ...(await trustedWith(rows, id))]
      : await rows
          .selectFrom('role_assignments')
          .selectAll()
          .where('actor_kind', '=', 'group')
          .where('actor_id', '=', id)
          .execute();
  if (held.length === 0) return;
  const roles = await rows
    .selectFrom('roles')
    .select(['id', 'name', 'domain_id'])
    .where('id', 'in', [...new Set(held.map((row) => row.role_id))])
    .execute();
  const givable = new Set(roles.filter(isDelegable).map((role) => role.id));
  const within = new Set<string>();
  for (const some of chunks(held.filter((row) => row.scope_kind === 'project').map((row) => row.scope_id)))
    for (const project of await rows
      .selectFrom('projects')
      .select(['id', 'domain_id'])
      .where('id', 'in', some)
      .execute())
      if (project.domain_id === own) within.add(project.id);
  const outside = held.some(
    (row) =>
      !givable.has(row.role_id) ||
      !(row.scope_kind === 'project'
        ? within.has(row.scope_id)
        : row.scope_kind === 'domain' && row.scope_id === own),
  );
  if (outside)
    throw forbidden(
      `The ${kind} ${id} holds roles that the manager of a domain cannot give; ask an operator.`,
    );
}
