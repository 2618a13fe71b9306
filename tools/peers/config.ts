// tempest.conf for a cloud that runs: what the API advertises is asked of it, what it cannot say of itself stands here.
import type { ApiClient } from '../../src/cli/api-client.ts';

type Section = Record<string, string | number | boolean>;

export type Config = Record<string, Section>;

export const ini = (config: Config): string =>
  Object.entries(config)
    .map(([name, section]) =>
      [`[${name}]`, ...Object.entries(section).map(([key, value]) => `${key} = ${String(value)}`)].join('\n'),
    )
    .join('\n\n') + '\n';

type Named = { id: string; name: string };

const only = <T extends Named>(what: string, list: T[], name: string): T => {
  const found = list.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the cloud has no ${what} ${name}`);
  return found;
};

const aliases = async (api: ApiClient, path: string): Promise<string> => {
  const { extensions } = await api.call<{ extensions: { alias: string }[] }>('GET', path);
  return extensions.map(({ alias }) => alias).join(',');
};

const microversions = async (api: ApiClient, path: string): Promise<Section> => {
  type Version = { min_version: string; version: string };
  const answer = await api.call<{ version?: Version; versions?: Version[] }>('GET', path);
  const version = answer.version ?? answer.versions?.[0];
  if (version === undefined) throw new Error(`${path} names no version`);
  return { min_microversion: version.min_version, max_microversion: version.version };
};

/** The same file under a second id: what the suite calls the alternative image. */
async function secondImage(api: ApiClient, url: string, images: Named[], image: Named): Promise<string> {
  const there = images.find((one) => one.name === `${image.name}-alt`);
  if (there !== undefined) return there.id;
  const { token } = api;
  const content = await fetch(`${url}/image/v2/images/${image.id}/file`, {
    headers: { 'x-auth-token': token },
  });
  const copy = await api.call<Named>('POST', '/image/v2/images', {
    name: `${image.name}-alt`,
    disk_format: 'qcow2',
    container_format: 'bare',
    visibility: 'public',
    min_ram: 64,
  });
  const sent = await fetch(`${url}/image/v2/images/${copy.id}/file`, {
    method: 'PUT',
    headers: { 'x-auth-token': token, 'content-type': 'application/octet-stream' },
    body: await content.arrayBuffer(),
  });
  if (sent.status !== 204)
    throw new Error(`the second image was answered with ${sent.status}: ${await sent.text()}`);
  return copy.id;
}

/** Half as much memory again as the smallest flavor has: what a resize goes to. */
async function largerFlavor(api: ApiClient, flavors: Named[]): Promise<string> {
  const there = flavors.find((one) => one.name === 'm1.micro');
  if (there !== undefined) return there.id;
  const { flavor } = await api.call<{ flavor: Named }>('POST', '/compute/v2.1/flavors', {
    flavor: { name: 'm1.micro', ram: 192, vcpus: 1, disk: 1 },
  });
  return flavor.id;
}

export type Parts = {
  api: ApiClient;
  url: string;
  password: string;
  lockPath: string;
  /** Address of content that an image may be downloaded from. */
  web: string;
};

export async function configOf({ api, url, password, lockPath, web }: Parts): Promise<Config> {
  const { images } = await api.call<{ images: Named[] }>('GET', '/image/v2/images');
  const { flavors } = await api.call<{ flavors: Named[] }>('GET', '/compute/v2.1/flavors');
  const external = await api.call<{ networks: Named[] }>(
    'GET',
    '/network/v2.0/networks?router:external=true',
  );
  const { catalog } = await api.call<{ catalog: { type: string }[] }>('GET', '/identity/v3/auth/catalog');
  const publicNetwork = only('external network', external.networks, 'public');
  const image = only('image', images, 'tiny');
  const volumeType = ['volumev3', 'block-storage'].find((type) =>
    catalog.some((service) => service.type === type),
  );
  return {
    DEFAULT: { log_file: 'tempest.log', debug: true },
    oslo_concurrency: { lock_path: lockPath },
    auth: {
      use_dynamic_credentials: true,
      admin_username: 'admin',
      admin_password: password,
      admin_project_name: 'admin',
      admin_domain_name: 'Default',
      tempest_roles: 'member',
    },
    identity: {
      uri_v3: `${url}/identity/v3`,
      auth_version: 'v3',
      region: 'RegionOne',
      v3_endpoint_type: 'public',
      user_lockout_failure_attempts: 10,
      user_lockout_duration: 30,
      user_unique_last_password_count: 2,
    },
    // identity/settings.ts: PASSWORD_RULES.
    'identity-feature-enabled': { access_rules: true, security_compliance: true },
    service_available: {
      nova: true,
      glance: true,
      neutron: true,
      swift: false,
      horizon: false,
      cinder: volumeType !== undefined,
    },
    compute: {
      image_ref: image.id,
      image_ref_alt: await secondImage(api, url, images, image),
      flavor_ref: only('flavor', flavors, 'm1.nano').id,
      flavor_ref_alt: await largerFlavor(api, flavors),
      min_compute_nodes: 1,
      ...(await microversions(api, '/compute/v2.1/')),
    },
    'compute-feature-enabled': {
      resize: true,
      shelve: true,
      pause: true,
      suspend: true,
      snapshot: true,
      interface_attach: true,
      console_output: true,
      metadata_service: true,
      // Server metadata may be changed; the suite knows that only of clouds with this interface of another hypervisor.
      xenapi_apis: true,
      hostname_fqdn_sanitization: true,
      // One host: nothing to migrate to.
      cold_migration: false,
      live_migration: false,
      // Not built yet: docs/develop/peers.md.
      rescue: true,
      stable_rescue: true,
      ide_bus: true,
      vnc_console: false,
      change_password: false,
      config_drive: true,
      personality: true,
      attach_encrypted_volume: false,
      swap_volume: false,
    },
    // Content is held to its declared format, and the suite uploads random bytes: only raw disks may hold those.
    image: { disk_formats: 'raw', container_formats: 'bare,ovf', http_image: web },
    'image-feature-enabled': { import_image: true, os_glance_reserved: true },
    network: {
      public_network_id: publicNetwork.id,
      floating_network_name: publicNetwork.name,
      // The reach of these tests' own networks: small subnets, as many as there are classes.
      project_network_cidr: '10.100.0.0/16',
      project_network_mask_bits: 28,
    },
    'network-feature-enabled': {
      ipv6: true,
      ipv6_subnet_attributes: true,
      port_security: true,
      api_extensions: await aliases(api, '/network/v2.0/extensions'),
    },
    // From this machine, through floating addresses of the external network.
    validation: {
      run_validation: true,
      connect_method: 'floating',
      image_ssh_user: 'root',
      image_alt_ssh_user: 'root',
    },
    ...(volumeType === undefined
      ? {}
      : {
          volume: {
            catalog_type: volumeType,
            volume_size: 1,
            vendor_name: 'Strata',
            storage_protocol: 'file',
            ...(await microversions(api, '/volume/v3')),
          },
          'volume-feature-enabled': {
            backup: true,
            snapshot: true,
            clone: true,
            extend_attached_volume: true,
            // One back end: files.
            multi_backend: false,
            // Not built yet.
            manage_volume: false,
            manage_snapshot: false,
          },
        }),
  };
}
