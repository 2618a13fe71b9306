// What the create form begins with.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Flavor, Image } from '../api.ts';
import type { Network } from '../detail/api.ts';
import {
  firstImage,
  freeName,
  misfitOf,
  onlyNetwork,
  rootGib,
  smallestFitting,
  suggestName,
  usableNetworks,
} from './defaults.ts';

const GIB = 1024 ** 3;

const flavor = (name: string, ram: number, disk: number, vcpus = 1): Flavor => ({
  id: name,
  name,
  ram,
  disk,
  vcpus,
  swap: 0,
  'OS-FLV-EXT-DATA:ephemeral': 0,
});
const image = (changes: Partial<Image>): Image => ({
  id: 'an-image',
  name: 'image',
  status: 'active',
  visibility: 'public',
  container_format: 'bare',
  size: 0,
  virtual_size: null,
  min_ram: 0,
  min_disk: 0,
  ...changes,
});
const network = (id: string, changes: Partial<Network> = {}): Network => ({
  id,
  name: id,
  project_id: 'mine',
  shared: false,
  'router:external': false,
  subnets: ['a-subnet'],
  admin_state_up: true,
  ...changes,
});

describe('the suggested name', () => {
  test('comes from the image, as a host name may be', () => {
    expect(suggestName({ name: 'Debian 12 (amd64).qcow2' }, new Set())).toBe('debian-12-amd64');
    expect(suggestName({ name: '镜像' }, new Set())).toBe('server');
    expect(suggestName(undefined, new Set(['server']))).toBe('server-2');
  });

  test('is never one that is taken', () => {
    const names = fc.uniqueArray(fc.constantFrom('web', 'web-2', 'web-3', 'web-4'));
    fc.assert(
      fc.property(names, (taken) => {
        expect(taken).not.toContain(freeName('web', new Set(taken)));
      }),
    );
  });
});

describe('the suggested image', () => {
  test('is of a VM, and one that everybody uses', () => {
    const container = image({ id: 'container', container_format: 'docker' });
    const own = image({ id: 'own', visibility: 'private' });
    const common = image({ id: 'common' });
    expect(firstImage([container, own, common])?.id).toBe('common');
    expect(firstImage([container, own])?.id).toBe('own');
    expect(firstImage([container])?.id).toBe('container');
    expect(firstImage([])).toBeUndefined();
  });
});

describe('the suggested flavor', () => {
  const flavors = [flavor('large', 8192, 80, 4), flavor('tiny', 512, 1), flavor('nano', 128, 1)];

  test('is the smallest that the image fits', () => {
    expect(smallestFitting(flavors, image({}), false)?.name).toBe('nano');
    expect(smallestFitting(flavors, image({ min_ram: 256 }), false)?.name).toBe('tiny');
    expect(smallestFitting(flavors, image({ virtual_size: 1.5 * GIB }), false)?.name).toBe('large');
  });

  test('needs no disk of its own for a server that boots from a volume', () => {
    expect(smallestFitting(flavors, image({ min_disk: 20 }), true)?.name).toBe('nano');
  });

  test('of a flavor that is refused, what is too small is said', () => {
    expect(misfitOf(flavor('tiny', 512, 1), image({ min_disk: 20 }), false)).toEqual({
      part: 'disk',
      needs: 20,
      has: 1,
    });
    expect(misfitOf(flavor('no-disk', 512, 0), image({ min_disk: 20 }), false)).toBeNull();
    expect(rootGib(image({ virtual_size: GIB + 1, min_disk: 1 }))).toBe(2);
  });

  test('is never one that the image does not fit', () => {
    const some = fc.array(
      fc
        .record({ ram: fc.integer({ min: 64, max: 9000 }), disk: fc.integer({ min: 0, max: 90 }) })
        .map(({ ram, disk }) => flavor(`f${ram}-${disk}`, ram, disk)),
    );
    const needs = fc
      .record({ min_ram: fc.integer({ min: 0, max: 9000 }), min_disk: fc.integer({ min: 0, max: 90 }) })
      .map(image);
    fc.assert(
      fc.property(some, needs, fc.boolean(), (all, wanted, onVolume) => {
        const found = smallestFitting(all, wanted, onVolume);
        if (found !== undefined) expect(misfitOf(found, wanted, onVolume)).toBeNull();
        else for (const one of all) expect(misfitOf(one, wanted, onVolume)).not.toBeNull();
      }),
    );
  });
});

describe('the suggested network', () => {
  test('is the only one of the project, external ones apart', () => {
    const external = network('public', { 'router:external': true, shared: true, project_id: 'admin' });
    expect(onlyNetwork([network('mine'), external])).toEqual(['mine']);
    expect(onlyNetwork([network('one'), network('two')])).toEqual([]);
    expect(onlyNetwork([])).toEqual([]);
  });

  test('has a subnet, and is of the project or shared with it', () => {
    const networks = [
      network('mine'),
      network('bare', { subnets: [] }),
      network('of-another', { project_id: 'another' }),
      network('shared', { project_id: 'another', shared: true }),
      network('external', { project_id: 'another', 'router:external': true }),
    ];
    expect(usableNetworks(networks, 'mine').map(({ id }) => id)).toEqual(['mine', 'shared']);
  });
});
