// Where the cross-tenant matrix may be answered with something else than 404, each with its reason. A place that
// is not named here and does not answer 404 is a defect. (403 from the coarse check of a route's policy, before
// any object is looked at, needs no entry: the matrix computes it.) Whatever the status, the matrix also
// checks that the answer is the one that an id of nobody gets.
import type { Entry, IdPlace } from './schema-walk.ts';

export type Exception = {
  /** Of `<METHOD> <path> [action]`. */
  route: RegExp;
  /** Of `<in>:<name>`, e.g. `body:port.network_id`. */
  place: RegExp;
  statuses: readonly number[];
  reason: string;
};

export const exceptions: readonly Exception[] = [
  {
    route: /^GET /,
    place: /^query:/,
    statuses: [200, 400, 403, 404],
    reason: 'A filter narrows what the caller may see anyway: a foreign id finds nothing.',
  },
  {
    route: /^POST \/compute\/v2\.1\/(servers|strata-dry-run\/servers)$/,
    place: /^body:/,
    statuses: [400],
    reason:
      'Nova answers 400 for what the body of a new server refers to and is not there (api-ref, Create Server).',
  },
  {
    route: /^POST \/network\//,
    place: /\.(project_id|tenant_id)$/,
    statuses: [403],
    reason:
      'Whose the new object shall be: only operators may say, so it is refused before anybody looks whether there is such a project.',
  },
  {
    route: /^POST \/image\/v2\/images$/,
    place: /^body:owner$/,
    statuses: [403],
    reason: 'As project_id of Neutron: only operators may name another owner.',
  },
  {
    route: /^POST \/image\/v2\/images\/:image_id\/members$/,
    place: /^body:member$/,
    statuses: [200, 403, 409],
    reason:
      'With whom an image is shared: any name of a project is taken, whether or not there is one; 403 when the image is not one to share.',
  },
  {
    route: /^POST \/image\/v2\/images\/:image_id\/import$/,
    place: /^body:method\.glance_image_id$/,
    statuses: [202, 400, 409],
    reason:
      'Taken down as it is; what the asker may not read is not found when the import is done, and its task says so.',
  },
  {
    route: /^(POST|PUT) \/network\/v2\.0\/(ports|floatingips)/,
    place: /\.subnet_id$/,
    statuses: [400],
    reason:
      'Neutron answers 400 InvalidInput for a subnet that is not one of the network that the port is on.',
  },
  {
    route: /^(POST|PUT) \/network\/v2\.0\/routers/,
    place: /external_fixed_ips/,
    statuses: [403],
    reason:
      'Only operators choose the external addresses of a router; refused before anybody looks at the subnet.',
  },
  {
    route: /^POST \/compute\/v2\.1\/servers\/:server_id\/action (rebuild|rescue)$/,
    place: /^body:(imageRef|rescue_image_ref)$/,
    statuses: [400],
    reason: 'As with a new server: Nova answers 400 for an image that is not there.',
  },
  {
    route: /^POST \/compute\/v2\.1\/servers\/:server_id\/action resize$/,
    place: /^body:flavorRef$/,
    statuses: [400],
    reason: 'As with a new server: Nova answers 400 for a flavor that is not there.',
  },
  {
    route: /^PUT \/compute\/v2\.1\/servers\/:server_id\/os-volume_attachments\/:volume_id$/,
    place: /^body:volumeAttachment\.volumeId$/,
    statuses: [400],
    reason: 'Nova answers 400 for a volume to swap to that is not there.',
  },
  {
    route: /^POST \/identity\/v3\/users\/:user_id\/application_credentials$/,
    place: /^body:application_credential\.roles\[\]\.id$/,
    statuses: [400],
    reason: 'Keystone answers 400 for a role that the caller does not have, whether or not there is one.',
  },
  {
    route: /^POST \/identity\/v3\/OS-TRUST\/trusts$/,
    place: /^body:/,
    statuses: [403],
    reason:
      'Keystone answers 403 when somebody trusts for somebody else, or hands on a role that is not held.',
  },
  {
    route: /^GET \/identity\/v3\/(regions\/:region_id|registered_limits\/:registered_limit_id)$/,
    place: /^path:(region_id|registered_limit_id)$/,
    statuses: [200],
    reason: "Regions and default limits are the cloud's, not a tenant's: everybody sees them.",
  },
  {
    route: /^POST \/volume\/v3\/(:project_id\/)?volumes$/,
    place: /^body:volume\.(imageRef|image_id)$/,
    statuses: [400],
    reason: 'Cinder answers 400 for an image that is not there (Invalid image identifier).',
  },
  {
    route: /^POST \/volume\/v3\/(:project_id\/)?volumes\/:volume_id\/action os-retype$/,
    place: /^body:new_type$/,
    statuses: [400],
    reason: 'Cinder answers 400 for a type that is not there (Invalid volume_type passed).',
  },
  {
    route: /^GET \/volume\/v3\/(:project_id\/)?os-quota-sets\/:target_id\/defaults$/,
    place: /^path:target_id$/,
    statuses: [200],
    reason: 'The defaults of the cloud, the same whatever id stands in the path.',
  },
  {
    route: /^GET \/(compute\/v2\.1\/os-quota-sets|network\/v2\.0\/quotas)\/:project_id\/defaults?(\.json)?$/,
    place: /^path:project_id$/,
    statuses: [200],
    reason: 'The defaults of the cloud, the same whatever id stands in the path.',
  },
];

export const allowedStatuses = (entry: Entry, place: IdPlace): readonly number[] => [
  404,
  ...exceptions
    .filter((one) => one.route.test(entry.key) && one.place.test(`${place.in}:${place.name}`))
    .flatMap((one) => one.statuses),
];
