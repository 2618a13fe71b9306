// Domain configuration: /v3/domains/{id}/config. Keystone reads these options for the identity driver of a domain. Here
// there is one driver, so that they are kept and shown and change nothing (docs/operate); only what Keystone knows is
// taken, and what is secret is sealed and never shown.
import { Type } from 'typebox';
import { audit } from '../../../kernel/audit.ts';
import type { Migration, Tx } from '../../../kernel/db/index.ts';
import { CloudError, forbidden } from '../../../kernel/errors.ts';
import { route, type Route } from '../../../kernel/http/route.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { prose, strict } from '../../../kernel/schema.ts';
import { DEFAULT_DOMAIN, type Identity, type Rows } from '../identity.ts';
import { domainFor } from './service.ts';

declare module '../../../kernel/db/index.ts' {
  interface Tables {
    domain_options: {
      domain_id: string;
      group_name: string;
      option_name: string;
      /** JSON, sealed where the option is secret. */
      value: string;
    };
  }
}

export const domainConfigMigrations: Migration[] = [
  {
    id: 'identity-0024-domain-options',
    async up(db) {
      await db.schema
        .createTable('domain_options')
        .addColumn('domain_id', 'text', (c) => c.notNull())
        .addColumn('group_name', 'text', (c) => c.notNull())
        .addColumn('option_name', 'text', (c) => c.notNull())
        .addColumn('value', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('domain_options_pk', ['domain_id', 'group_name', 'option_name'])
        .execute();
    },
  },
];

type Value = string | number | boolean | null;
type Config = Record<string, Record<string, Value>>;

/** Keystone's options and their defaults. */
const OPTIONS: Config = {
  identity: { driver: 'sql', list_limit: null },
  ldap: {
    url: 'ldap://localhost',
    user: null,
    suffix: 'cn=example,cn=com',
    query_scope: 'one',
    page_size: 0,
    alias_dereferencing: 'default',
    debug_level: null,
    chase_referrals: null,
    user_tree_dn: null,
    user_filter: null,
    user_objectclass: 'inetOrgPerson',
    user_id_attribute: 'cn',
    user_name_attribute: 'sn',
    user_mail_attribute: 'mail',
    user_description_attribute: 'description',
    user_pass_attribute: 'userPassword',
    user_enabled_attribute: 'enabled',
    user_enabled_invert: false,
    user_enabled_mask: 0,
    user_enabled_default: 'True',
    user_enabled_emulation: false,
    user_enabled_emulation_dn: null,
    group_tree_dn: null,
    group_filter: null,
    group_objectclass: 'groupOfNames',
    group_id_attribute: 'cn',
    group_name_attribute: 'ou',
    group_member_attribute: 'member',
    group_desc_attribute: 'description',
    tls_cacertfile: null,
    tls_cacertdir: null,
    use_tls: false,
    tls_req_cert: 'demand',
    use_pool: true,
    pool_size: 10,
  },
};
const SECRET: ReadonlySet<string> = new Set(['ldap.password']);

const value = Type.Union([
  prose(2000),
  Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 }),
  Type.Boolean(),
  Type.Null(),
]);
const word = '^[a-z_]{1,64}$';
const options = Type.Record(Type.String({ pattern: word }), value);
const wholeBody = strict({ config: Type.Record(Type.String({ pattern: word }), options) });
const optionBody = strict({ config: options });

function requireKnown(config: Config): void {
  for (const [group, own] of Object.entries(config))
    for (const name of Object.keys(own))
      if (!Object.hasOwn(OPTIONS[group] ?? {}, name) && !SECRET.has(`${group}.${name}`))
        throw forbidden(
          `Invalid domain specific configuration: group ${group}, option ${name} is not supported.`,
        );
}

const missing = (): CloudError =>
  new CloudError(404, 'DomainConfigNotFound', 'Could not find such a domain configuration.');

async function configOf(rows: Rows, domainId: string): Promise<Config> {
  const found = await rows
    .selectFrom('domain_options')
    .selectAll()
    .where('domain_id', '=', domainId)
    .orderBy('group_name')
    .orderBy('option_name')
    .execute();
  const config: Config = {};
  for (const row of found)
    if (!SECRET.has(`${row.group_name}.${row.option_name}`))
      (config[row.group_name] ??= {})[row.option_name] = JSON.parse(row.value) as Value;
  return config;
}

async function store(tx: Tx, identity: Identity, domainId: string, config: Config): Promise<void> {
  for (const [group_name, own] of Object.entries(config))
    for (const [option_name, plain] of Object.entries(own)) {
      const text = JSON.stringify(plain);
      const secret = SECRET.has(`${group_name}.${option_name}`);
      const row = {
        domain_id: domainId,
        group_name,
        option_name,
        value: secret ? identity.vault.seal(text, `${domainId}.${group_name}.${option_name}`) : text,
      };
      await tx
        .insertInto('domain_options')
        .values(row)
        .onConflict((oc) =>
          oc.columns(['domain_id', 'group_name', 'option_name']).doUpdateSet({ value: row.value }),
        )
        .execute();
    }
}

/** Of the whole, of one group, or of one option; 404 where there is none. */
function part(config: Config, params: Record<string, string>): object {
  const { group, option } = params;
  if (group === undefined) {
    if (Object.keys(config).length === 0) throw missing();
    return config;
  }
  const own = config[group];
  if (own === undefined) throw missing();
  if (option === undefined) return { [group]: own };
  if (!Object.hasOwn(own, option)) throw missing();
  return { [option]: own[option] ?? null };
}

const change = <T>(
  identity: Identity,
  ctx: Ctx,
  domainId: string,
  work: (tx: Tx, before: Config) => Promise<T>,
): Promise<T> =>
  ctx.platform.db.tx(async (tx) => {
    await domainFor(tx, ctx, domainId);
    const out = await work(tx, await configOf(tx, domainId));
    await audit(tx, ctx, 'domain', domainId);
    return out;
  });

const PLACES = ['', '/:group', '/:group/:option'];
const idsAt = (place: string): Record<string, string> => ({
  domain_id: 'domain',
  ...(place.includes(':group') ? { group: 'none' } : {}),
  ...(place.includes(':option') ? { option: 'none' } : {}),
});

function routesAt(identity: Identity, place: string): Route[] {
  const path = `/v3/domains/:domain_id/config${place}`;
  const ids = idsAt(place);
  const idOf = (params: Record<string, string>): string => params['domain_id'] ?? '';
  const deepest = place.includes(':option');
  return [
    {
      method: 'GET',
      path,
      ids,
      policy: 'identity:get_domain_config',
      summary: 'Show the configuration of a domain',
      async handler({ ctx, params }) {
        const { read } = ctx.platform.db;
        await domainFor(read, ctx, idOf(params));
        return { body: { config: part(await configOf(read, idOf(params)), params) } };
      },
    },
    {
      method: 'PATCH',
      path,
      ids,
      policy: 'identity:update_domain_config',
      summary: 'Change the configuration of a domain',
      body: deepest ? optionBody : wholeBody,
      async handler({ ctx, params, body }) {
        const { config } = body as { config: Config };
        const { group, option } = params;
        const asked: Config = deepest ? { [group ?? '']: config as unknown as Config[string] } : config;
        requireKnown(asked);
        if (group !== undefined && Object.keys(asked).some((name) => name !== group))
          throw forbidden('The body must be about the group in the address.');
        if (option !== undefined && Object.keys(asked[group ?? ''] ?? {}).some((name) => name !== option))
          throw forbidden('The body must be about the option in the address.');
        const after = await change(identity, ctx, idOf(params), async (tx, before) => {
          part(before, params);
          await store(tx, identity, idOf(params), asked);
          return configOf(tx, idOf(params));
        });
        return { body: { config: after } };
      },
    },
    {
      method: 'DELETE',
      path,
      ids,
      status: 204,
      policy: 'identity:delete_domain_config',
      summary: 'Delete the configuration of a domain',
      async handler({ ctx, params }) {
        await change(identity, ctx, idOf(params), async (tx, before) => {
          part(before, params);
          const { group, option } = params;
          let rows = tx.deleteFrom('domain_options').where('domain_id', '=', idOf(params));
          if (group !== undefined) rows = rows.where('group_name', '=', group);
          if (option !== undefined) rows = rows.where('option_name', '=', option);
          await rows.execute();
        });
        return {};
      },
    },
  ];
}

const defaultRoutes: Route[] = PLACES.map((place) => ({
  method: 'GET',
  path: `/v3/domains/config${place}/default`,
  ids: Object.fromEntries(Object.entries(idsAt(place)).filter(([name]) => name !== 'domain_id')),
  policy: 'identity:get_domain_config_default',
  summary: 'Show the defaults of the configuration of domains',
  handler: async ({ params }) => ({ body: { config: part(OPTIONS, params) } }),
}));

/** What users have to know of the password rules; they are those of the whole cloud. */
const complianceRoutes = (identity: Identity): Route[] =>
  ['', '/:option'].map((place) => ({
    method: 'GET',
    path: `/v3/domains/:domain_id/config/security_compliance${place}`,
    // Any domain but the default one is refused, whether there is one or not.
    ids: { domain_id: 'none', ...(place === '' ? {} : { option: 'none' }) },
    policy: 'identity:get_security_compliance_domain_config',
    summary: 'Show what a password has to be like',
    async handler({ params }) {
      if (params['domain_id'] !== DEFAULT_DOMAIN)
        throw forbidden('The password rules are those of the domain default.');
      const { regex, regexDescription } = identity.rules;
      const config: Config = {
        security_compliance: {
          password_regex: regex,
          password_regex_description: regexDescription === '' ? null : regexDescription,
        },
      };
      return { body: { config: part(config, { group: 'security_compliance', ...params }) } };
    },
  }));

export const domainConfigRoutes = (identity: Identity): Route[] => [
  ...defaultRoutes,
  ...complianceRoutes(identity),
  ...PLACES.flatMap((place) => routesAt(identity, place)),
  route({
    method: 'PUT',
    path: '/v3/domains/:domain_id/config',
    ids: { domain_id: 'domain' },
    policy: 'identity:create_domain_config',
    summary: 'Replace the configuration of a domain',
    body: wholeBody,
    async handler({ ctx, params, body }) {
      const config = body.config as Config;
      requireKnown(config);
      const isNew = await change(identity, ctx, params.domain_id, async (tx, before) => {
        await tx.deleteFrom('domain_options').where('domain_id', '=', params.domain_id).execute();
        await store(tx, identity, params.domain_id, config);
        return Object.keys(before).length === 0;
      });
      const shown = await configOf(ctx.platform.db.read, params.domain_id);
      return { status: isNew ? 201 : 200, body: { config: shown } };
    },
  }),
];
