// What the create form sends.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base64, fieldOf, requestOf, userDataFits, type CreateForm } from './request.ts';

const FORM: CreateForm = {
  name: ' web ',
  source: 'image',
  imageId: 'image-1',
  volumeGoes: true,
  flavorId: 'flavor-1',
  networkIds: ['network-1'],
  groupIds: ['group-1'],
  configDrive: false,
  metadata: [],
  count: 1,
};
type Body = { server: Record<string, unknown>; 'os:scheduler_hints'?: unknown };
const bodyOf = (changes: Partial<CreateForm>): Body | null =>
  requestOf({ ...FORM, ...changes }) as Body | null;

describe('a create', () => {
  test('says only what was filled in', () => {
    expect(bodyOf({})).toEqual({
      server: {
        name: 'web',
        flavorRef: 'flavor-1',
        imageRef: 'image-1',
        networks: [{ uuid: 'network-1' }],
        security_groups: [{ name: 'group-1' }],
      },
    });
  });

  test('says all that was filled in', () => {
    expect(
      bodyOf({
        keyName: 'laptop',
        userData: '#!/bin/sh\n',
        configDrive: true,
        metadata: [{ key: 'role', value: 'web' }, { key: 'empty' }, { key: '', value: 'lost' }],
        zone: 'nova',
        serverGroup: 'apart',
        count: 3,
      }),
    ).toMatchObject({
      server: {
        key_name: 'laptop',
        user_data: 'IyEvYmluL3NoCg==',
        config_drive: true,
        metadata: { role: 'web', empty: '' },
        availability_zone: 'nova',
        min_count: 3,
        max_count: 3,
      },
      'os:scheduler_hints': { group: 'apart' },
    });
  });

  test('boots from a new volume, from one that is there, or from a snapshot', () => {
    const device = (changes: Partial<CreateForm>): unknown =>
      bodyOf(changes)?.server['block_device_mapping_v2'];
    const common = { destination_type: 'volume', boot_index: 0, delete_on_termination: true };
    expect(device({ source: 'newVolume', volumeSize: 10 })).toEqual([
      { ...common, source_type: 'image', uuid: 'image-1', volume_size: 10 },
    ]);
    expect(device({ source: 'volume', volumeId: 'volume-1', volumeSize: 10 })).toEqual([
      { ...common, source_type: 'volume', uuid: 'volume-1' },
    ]);
    expect(device({ source: 'snapshot', snapshotId: 'snapshot-1', volumeGoes: false })).toEqual([
      { ...common, source_type: 'snapshot', uuid: 'snapshot-1', delete_on_termination: false },
    ]);
    expect(bodyOf({ source: 'volume', volumeId: 'volume-1' })?.server).not.toHaveProperty('imageRef');
  });

  test('waits until the form says what is needed', () => {
    for (const missing of [
      { name: '  ' },
      { imageId: undefined },
      { flavorId: undefined },
      { source: 'newVolume' as const, volumeSize: null },
      { source: 'volume' as const },
      { source: 'snapshot' as const },
    ])
      expect(bodyOf(missing)).toBeNull();
  });

  test('without a network says so, and names no security group', () => {
    const server = bodyOf({ networkIds: [] })?.server;
    expect(server?.['networks']).toBe('none');
    expect(server).not.toHaveProperty('security_groups');
  });

  test('keeps user data to the byte, in any script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(Buffer.from(base64(text), 'base64').toString('utf8')).toBe(text.toWellFormed());
      }),
    );
    expect(userDataFits('x'.repeat(49_149))).toBe(true);
    expect(userDataFits('x'.repeat(49_152))).toBe(false);
  });
});

describe('a refusal', () => {
  test('is shown at the field that it names', () => {
    expect(fieldOf('server.networks[0].uuid', '')).toBe('networkIds');
    expect(fieldOf('server.name', '')).toBe('name');
    expect(fieldOf(null, 'Invalid flavorRef provided: Flavor x could not be found.')).toBe('flavorId');
    expect(fieldOf(null, 'Quota exceeded for cores')).toBeNull();
    expect(fieldOf('constructor', '')).toBeNull();
  });
});
