// OS-REVOKE: what was revoked since when, for services that judge tokens themselves. And OS-SIMPLE-CERT, whose
// certificates belonged to the tokens of 2014: gone, and said so.
import { Type } from 'typebox';
import { isoMicros } from '../../../kernel/clock.ts';
import { badRequest, CloudError } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import { text } from '../../../kernel/schema.ts';
import { urlOf } from '../wire.ts';

/** The fields of an event by the words of its subject, as `subjects` in revocations.ts writes it. */
function fieldsOf(subject: string): Record<string, string> | null {
  const [kind = '', first = '', scope = '', scopeId = ''] = subject.split(' ');
  const names: Readonly<Record<string, string>> = {
    token: 'audit_id',
    chain: 'audit_chain_id',
    user: 'user_id',
    project: 'project_id',
    domain: 'domain_id',
    role: 'role_id',
    trust: 'OS-TRUST:trust_id',
  };
  const name = names[kind];
  if (name !== undefined) return { [name]: first };
  if (kind !== 'grant') return null;
  // The API has no word for the system: such an event is about the user.
  if (scope === 'system') return { user_id: first };
  return { user_id: first, [scope === 'project' ? 'project_id' : 'domain_id']: scopeId };
}

export const revokeEventRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/v3/OS-REVOKE/events',
    policy: 'identity:list_revoke_events',
    summary: 'List revocation events',
    query: Type.Object({ since: Type.Optional(text(64)) }),
    async handler({ ctx, query }) {
      const since = query.since === undefined ? 0 : Date.parse(query.since);
      if (Number.isNaN(since))
        throw badRequest(`Invalid input for since. Value: ${query.since}. It must be an ISO 8601 time.`);
      const rows = await ctx.platform.db.read
        .selectFrom('revocations')
        .selectAll()
        .where('revoked_at', '>=', since)
        .orderBy('sequence')
        .execute();
      const events = rows.flatMap((row) => {
        const fields = fieldsOf(row.subject);
        return fields === null ? [] : [{ ...fields, issued_before: isoMicros(row.revoked_at) }];
      });
      return {
        body: {
          events,
          links: { self: urlOf(ctx.platform, '/v3/OS-REVOKE/events'), previous: null, next: null },
        },
      };
    },
  }),
  ...(['ca', 'certificates'] as const).map((name) =>
    route({
      method: 'GET',
      path: `/v3/OS-SIMPLE-CERT/${name}`,
      policy: 'identity:discovery',
      summary: 'Certificates of tokens: gone',
      async handler() {
        throw new CloudError(
          410,
          'Gone',
          'This API is no longer available due to the removal of support for PKI tokens.',
        );
      },
    }),
  ),
];
