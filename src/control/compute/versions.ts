// Version discovery, and which microversions are served. The maximum is the last one whose changes to the
// resources that exist here are honoured; resources that do not exist yet are absent at every version.
import { notFound } from '../../kernel/errors.ts';
import { route, type Route } from '../../kernel/http/route.ts';
import { COMPUTE_PREFIX } from './links.ts';

export const MIN_VERSION = '2.1';
export const MAX_VERSION = '2.96';

const description = (publicUrl: string) => ({
  id: 'v2.1',
  status: 'CURRENT',
  version: MAX_VERSION,
  min_version: MIN_VERSION,
  updated: '2013-07-23T11:33:21Z',
  links: [{ rel: 'self', href: `${publicUrl}${COMPUTE_PREFIX}/v2.1/` }],
});

/** The routes of 2.1 below /v2, without microversions. */
const olderDescription = (publicUrl: string) => ({
  id: 'v2.0',
  status: 'SUPPORTED',
  version: '',
  min_version: '',
  updated: '2011-01-21T11:33:21Z',
  links: [{ rel: 'self', href: `${publicUrl}${COMPUTE_PREFIX}/v2/` }],
});
const mediaTypes = (version: string) => [
  { base: 'application/json', type: `application/vnd.openstack.compute+json;version=${version}` },
];

/** What Nova's extension list says about resources that exist here; clients only look whether an alias is there. */
const extensions = [
  ['Aggregates', 'os-aggregates'],
  ['AttachInterfaces', 'os-attach-interfaces'],
  ['AvailabilityZone', 'os-availability-zone'],
  ['ConsoleAuthTokens', 'os-console-auth-tokens'],
  ['ConsoleOutput', 'os-console-output'],
  ['Consoles', 'os-consoles'],
  ['DeferredDelete', 'os-deferred-delete'],
  ['ExtendedAvailabilityZone', 'os-extended-availability-zone'],
  ['ExtendedServerAttributes', 'os-extended-server-attributes'],
  ['ExtendedStatus', 'os-extended-status'],
  ['FlavorAccess', 'os-flavor-access'],
  ['FlavorExtraSpecs', 'os-flavor-extra-specs'],
  ['FlavorManage', 'os-flavor-manage'],
  ['FloatingIpPools', 'os-floating-ip-pools'],
  ['FloatingIps', 'os-floating-ips'],
  ['Hosts', 'os-hosts'],
  ['Hypervisors', 'os-hypervisors'],
  ['InstanceActions', 'os-instance-actions'],
  ['OSInstanceUsageAuditLog', 'os-instance-usage-audit-log'],
  ['Keypairs', 'os-keypairs'],
  ['LockServer', 'os-lock-server'],
  ['MultipleCreate', 'os-multiple-create'],
  ['OSNetworks', 'os-networks'],
  ['PauseServer', 'os-pause-server'],
  ['QuotaClasses', 'os-quota-class-sets'],
  ['Quotas', 'os-quota-sets'],
  ['ServerGroups', 'os-server-groups'],
  ['SecurityGroups', 'os-security-groups'],
  ['ServerExternalEvents', 'os-server-external-events'],
  ['ServerPassword', 'os-server-password'],
  ['ServerUsage', 'os-server-usage'],
  ['Services', 'os-services'],
  ['SimpleTenantUsage', 'os-simple-tenant-usage'],
  ['SuspendServer', 'os-suspend-server'],
  ['OSTenantNetworks', 'os-tenant-networks'],
  ['UsedLimits', 'os-used-limits'],
  ['UserQuotas', 'os-user-quotas'],
  ['Volumes', 'os-volumes'],
  ['UserData', 'os-user-data'],
] as const;
const extensionView = ([name, alias]: (typeof extensions)[number]) => ({
  name,
  alias,
  description: '',
  links: [],
  namespace: 'http://docs.openstack.org/compute/ext/fake_xml',
  updated: '2014-12-03T00:00:00Z',
});

export const versionRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/',
    policy: 'compute:versions',
    summary: 'List the major API versions',
    handler: async ({ ctx }) => ({
      body: {
        versions: [olderDescription(ctx.platform.publicUrl), description(ctx.platform.publicUrl)],
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2',
    policy: 'compute:versions',
    summary: 'Show the version without microversions',
    handler: async ({ ctx }) => ({
      body: { version: { ...olderDescription(ctx.platform.publicUrl), 'media-types': mediaTypes('2') } },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1',
    policy: 'compute:versions',
    summary: 'Show the range of microversions',
    handler: async ({ ctx }) => ({
      body: {
        version: {
          ...description(ctx.platform.publicUrl),
          'media-types': mediaTypes('2.1'),
        },
      },
    }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/extensions',
    policy: 'compute:extensions',
    summary: 'List extensions',
    handler: async () => ({ body: { extensions: extensions.map(extensionView) } }),
  }),
  route({
    method: 'GET',
    path: '/v2.1/extensions/:alias',
    ids: { alias: 'none' },
    policy: 'compute:extensions',
    summary: 'Show an extension',
    async handler({ params }) {
      const found = extensions.find(([, alias]) => alias === params.alias);
      if (found === undefined) throw notFound('Extension', params.alias);
      return { body: { extension: extensionView(found) } };
    },
  }),
];
