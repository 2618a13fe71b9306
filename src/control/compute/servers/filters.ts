// The filters of server lists, as conditions on the row. What Nova matches as a regular expression is matched here by
// the part of that language that a database can do without being made to run for ever; for names, by pattern.ts too.
import { type SelectQueryBuilder, sql } from 'kysely';
import type { Tables } from '../../../kernel/db/index.ts';
import { badRequest, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { isAdmin, projectOf } from '../../../kernel/policy.ts';
import { isSet, ownValue } from '../links.ts';
import { matcherOf } from './pattern.ts';
import type { ListQuery } from './schema.ts';

type ServerQuery<O> = SelectQueryBuilder<Tables, 'servers', O>;

/**
 * A LIKE pattern (escape character !) for the regular expressions that users send: literal text, `.`, `.*`,
 * `.+`, `\` before a literal, `^` and `$`. 400 for anything else.
 */
export function likeOf(regex: string, field: string, anchored = false): string {
  let at = 0;
  let end = regex.length;
  let open = '%';
  let close = '%';
  if (regex.startsWith('^')) [open, at] = ['', 1];
  if (anchored) open = '';
  if (regex.endsWith('$') && !regex.endsWith('\\$')) [close, end] = ['', end - 1];
  let out = open;
  while (at < end) {
    const char = regex[at] ?? '';
    const next = regex[at + 1];
    at += 1;
    if (char === '\\' && next !== undefined && /[^A-Za-z0-9]/.test(next)) {
      out += /[%_!]/.test(next) ? `!${next}` : next;
      at += 1;
    } else if (char === '.' && (next === '*' || next === '+') && at < end) {
      out += next === '*' ? '%' : '_%';
      at += 1;
    } else if (char === '.') out += '_';
    else if (/[\\*+?()[\]{}|^$]/.test(char))
      throw badRequest(
        `Invalid filter ${field}=${regex.slice(0, 100)}: '${char}' is not supported; literal text, '.', '.*', '.+', '^' at the start and '$' at the end are.`,
      );
    else out += /[%_!]/.test(char) ? `!${char}` : char;
  }
  return (out + close).toLowerCase();
}

/** Whether the database can match it. */
const isLike = (regex: string): boolean => {
  try {
    likeOf(regex, 'name');
    return true;
  } catch {
    return false;
  }
};

/** What the database leaves of the name filter; null: nothing. */
export function nameMatcher(filter: ListQuery): ((name: string) => boolean) | null {
  const name = filter.name ?? filter.display_name;
  return name === undefined || name === '' || isLike(name) ? null : matcherOf(name, 'name');
}

/** The addresses lie in the JSON of the ports; like Nova's, the pattern holds from the start of an address. */
function addressLike(regex: string, field: string): string {
  const pattern = likeOf(regex, field, true);
  return `%"ipaddress":"${pattern}${pattern.endsWith('%') ? '' : '"%'}`;
}

/** Nova's times: ISO 8601 with or without zone, or a date. */
export function timeOf(value: string, field: string): number {
  const stamp = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:?\d{2})?$/.test(value)
    ? Date.parse(
        /(Z|[+-]\d{2}:?\d{2})$/.test(value.slice(10)) || value.length === 10
          ? value.replace(' ', 'T')
          : `${value.replace(' ', 'T')}Z`,
      )
    : Number.NaN;
  if (Number.isNaN(stamp))
    throw badRequest(
      `Invalid input for query parameters ${field}. Value: ${value}. It must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z.`,
    );
  return stamp;
}

const statuses = new Set([
  'ACTIVE',
  'BUILD',
  'DELETED',
  'ERROR',
  'HARD_REBOOT',
  'MIGRATING',
  'PASSWORD',
  'PAUSED',
  'REBOOT',
  'REBUILD',
  'RESCUE',
  'RESIZE',
  'REVERT_RESIZE',
  'SHELVED',
  'SHELVED_OFFLOADED',
  'SHUTOFF',
  'SOFT_DELETED',
  'SUSPENDED',
  'UNKNOWN',
  'VERIFY_RESIZE',
]);
const powerStates: Readonly<Record<string, string>> = {
  '1': 'running',
  '3': 'paused',
  '4': 'stopped',
  '6': 'crashed',
  '7': 'suspended',
};

function byTags<O>(
  query: ServerQuery<O>,
  list: string | undefined,
  wanted: boolean,
  all: boolean,
): ServerQuery<O> {
  if (list === undefined) return query;
  const tags = [...new Set(list.split(','))].slice(0, 50);
  return query.where((eb) => {
    const tagged = eb
      .selectFrom('server_tags')
      .select('server_id')
      .where('tag', 'in', tags)
      .groupBy('server_id')
      .having((h) => h.fn.countAll(), '>=', all ? tags.length : 1);
    return eb('servers.id', wanted ? 'in' : 'not in', tagged);
  });
}

/** Whose servers are listed: an operator's all_tenants, else the token's project. */
function byProject<O>(query: ServerQuery<O>, ctx: Ctx, filter: ListQuery): ServerQuery<O> {
  const everywhere =
    filter.all_tenants !== undefined && (filter.all_tenants === '' || isSet(filter.all_tenants));
  if (filter.all_tenants !== undefined && !/^(?:|true|false|0|1)$/i.test(filter.all_tenants))
    throw badRequest(
      `Invalid input for query parameters all_tenants. Value: ${filter.all_tenants}. It must be a boolean.`,
    );
  if (everywhere && !isAdmin(ctx.actor))
    throw forbidden("Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.");
  if (!everywhere) return query.where('project_id', '=', projectOf(ctx.actor));
  const named = filter.project_id ?? filter.tenant_id;
  return named === undefined ? query : query.where('project_id', '=', named);
}

/** null: nothing can match. */
export function applyFilters<O>(start: ServerQuery<O>, ctx: Ctx, filter: ListQuery): ServerQuery<O> | null {
  const admin = isAdmin(ctx.actor);
  const minor = ctx.microversion;
  let query = byProject(start, ctx, filter);
  const like = (column: 'name' | 'description' | 'hostname' | 'ports', pattern: string): void => {
    query = query.where(sql<boolean>`lower(${sql.ref(column)}) like ${pattern} escape '!'`);
  };
  const name = filter.name ?? filter.display_name;
  if (name !== undefined && name !== '' && isLike(name)) like('name', likeOf(name, 'name'));
  if (filter.status !== undefined) {
    const asked = filter.status.map((status) => status.toUpperCase());
    const unknown = asked.find((status) => !statuses.has(status));
    if (unknown !== undefined && minor >= 38) throw badRequest(`Invalid status value: ${unknown}.`);
    if (asked.includes('DELETED') && !admin) throw forbidden('Only administrators may list deleted servers.');
    query = query.where('status', 'in', asked);
  }
  if (filter.image !== undefined) query = query.where('image_id', '=', filter.image);
  if (filter.flavor !== undefined) query = query.where('flavor_id', '=', filter.flavor);
  if (filter.uuid !== undefined) query = query.where('servers.id', '=', filter.uuid);
  if (filter.reservation_id !== undefined) query = query.where('reservation_id', '=', filter.reservation_id);
  if (filter.ip !== undefined) like('ports', addressLike(filter.ip, 'ip'));
  if (filter.ip6 !== undefined && (admin || minor >= 5)) like('ports', addressLike(filter.ip6, 'ip6'));
  if (filter['changes-since'] !== undefined)
    query = query.where('updated_at', '>=', timeOf(filter['changes-since'], 'changes-since'));
  if (filter['changes-before'] !== undefined)
    query = query.where('updated_at', '<=', timeOf(filter['changes-before'], 'changes-before'));
  if (filter.access_ip_v4 !== undefined) query = query.where('access_ipv4', '=', filter.access_ip_v4);
  if (filter.access_ip_v6 !== undefined) query = query.where('access_ipv6', '=', filter.access_ip_v6);
  // Rows of deleted servers are not kept.
  if (admin && filter.deleted !== undefined && isSet(filter.deleted)) return null;
  query = byTags(query, filter.tags, true, true);
  query = byTags(query, filter['tags-any'], true, false);
  query = byTags(query, filter['not-tags'], false, true);
  query = byTags(query, filter['not-tags-any'], false, false);
  if (filter.locked !== undefined) query = query.where('locked', '=', isSet(filter.locked) ? 1 : 0);
  if (!admin && minor < 83) return query; // others see these filters from 2.83 on; before they are ignored
  if (filter.vm_state !== undefined) query = query.where('vm_state', '=', filter.vm_state.toLowerCase());
  if (filter.power_state !== undefined)
    query = query.where('observed_power', '=', ownValue(powerStates, filter.power_state) ?? '');
  if (filter.key_name !== undefined) query = query.where('key_name', '=', filter.key_name);
  if (filter.user_id !== undefined) query = query.where('user_id', '=', filter.user_id);
  if (filter.hostname !== undefined) like('hostname', likeOf(filter.hostname, 'hostname'));
  if (filter.description !== undefined) like('description', likeOf(filter.description, 'description'));
  if (filter.availability_zone !== undefined) query = query.where('zone', '=', filter.availability_zone);
  if (filter.config_drive !== undefined)
    query = query.where('config_drive', '=', isSet(filter.config_drive) ? 1 : 0);
  if (filter.created_at !== undefined)
    query = query.where('created_at', '=', timeOf(filter.created_at, 'created_at'));
  if (filter.launched_at !== undefined)
    query = query.where('launched_at', '=', timeOf(filter.launched_at, 'launched_at'));
  if (filter.launch_index !== undefined)
    query = query.where(
      'launch_index',
      '=',
      /^\d{1,9}$/.test(filter.launch_index) ? Number(filter.launch_index) : -1,
    );
  if (!admin) return query;
  const host = filter.host ?? filter.node;
  return host === undefined ? query : query.where('host_name', '=', host);
}
