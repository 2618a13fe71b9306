// What the create form begins with, so that in the simplest case only its button is left to press.
import type { Flavor, Image } from '../api.ts';
import type { Network } from '../detail/api.ts';
import { typeOfImage } from '../server.ts';

const GIB = 1024 ** 3;

/** web, web-2, web-3 ...: the first that no server has. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (!taken.has(name)) return name;
  }
}

/** After the image: 'Debian 12 (amd64).qcow2' makes 'debian-12-amd64'. */
export function suggestName(image: Pick<Image, 'name'> | undefined, taken: ReadonlySet<string>): string {
  const base = (image?.name ?? '')
    .toLowerCase()
    .replace(/\.(qcow2|img|raw|iso|vmdk|tar)$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50);
  return freeName(base === '' ? 'server' : base, taken);
}

export type Misfit = { part: 'memory' | 'disk'; needs: number; has: number };

/** GiB that the image needs of a root disk. */
export const rootGib = (image: Pick<Image, 'min_disk' | 'virtual_size'>): number =>
  Math.max(image.min_disk, Math.ceil((image.virtual_size ?? 0) / GIB));

/** Why a flavor is too small for an image, MiB or GiB; null: it is not. A root volume is as large as it is. */
export function misfitOf(
  flavor: Pick<Flavor, 'ram' | 'disk'>,
  image: Pick<Image, 'min_ram' | 'min_disk' | 'virtual_size'> | undefined,
  onVolume: boolean,
): Misfit | null {
  if (image === undefined) return null;
  if (flavor.ram < image.min_ram) return { part: 'memory', needs: image.min_ram, has: flavor.ram };
  // Without a size of its own the disk is as large as the image.
  if (onVolume || flavor.disk === 0) return null;
  const needs = rootGib(image);
  return flavor.disk < needs ? { part: 'disk', needs, has: flavor.disk } : null;
}

const bySize = (a: Flavor, b: Flavor): number =>
  a.ram - b.ram || a.vcpus - b.vcpus || a.disk - b.disk || a.name.localeCompare(b.name);

export const sorted = (flavors: readonly Flavor[]): readonly Flavor[] => flavors.toSorted(bySize);

export const smallestFitting = (
  flavors: readonly Flavor[],
  image: Image | undefined,
  onVolume: boolean,
): Flavor | undefined => sorted(flavors).find((flavor) => misfitOf(flavor, image, onVolume) === null);

/** An image of VMs that everybody uses, before those of VMs that somebody made, before containers. */
export const firstImage = (images: readonly Image[]): Image | undefined => {
  const vms = images.filter((image) => typeOfImage(image) === 'vm');
  return vms.find(({ visibility }) => visibility === 'public') ?? vms[0] ?? images[0];
};

/** Networks that a server of the project can be on; an operator sees those of others too. */
export const usableNetworks = (networks: readonly Network[], projectId: string): readonly Network[] =>
  networks.filter(
    (network) =>
      network.subnets.length > 0 &&
      (network.project_id === projectId ? true : network.shared) &&
      (!network['router:external'] || network.shared || network.project_id === projectId),
  );

/** The only network is the one that is meant. */
export const onlyNetwork = (networks: readonly Network[]): readonly string[] => {
  const [first, ...others] = networks.filter((network) => !network['router:external']);
  return first !== undefined && others.length === 0 ? [first.id] : [];
};
