// What a volume's state allows.
import { expect, test } from 'vitest';
import { refusal, type VolumeAction } from './allowed.ts';

const ALL: readonly VolumeAction[] = [
  'extend', 'retype', 'attach', 'snapshot', 'backup', 'clone', 'transfer', 'withdraw', 'image', 'readonly', 'delete',
]; // prettier-ignore
const attachment = { server_id: 's', attachment_id: 'a', attached_at: null, device: '/dev/vdb' };
const volume = (status: string, attached = false, group: string | null = null) => ({
  status,
  attachments: attached ? [attachment] : [],
  group_id: group,
});
const allowed = (state: Parameters<typeof refusal>[1]): VolumeAction[] =>
  ALL.filter((action) => refusal(action, state) === null);

test('a free volume may be anything but withdrawn', () => {
  expect(allowed(volume('available'))).toEqual(ALL.filter((action) => action !== 'withdraw'));
});

test('a volume in use grows, is copied and kept, and stays where it is', () => {
  expect(allowed(volume('in-use', true))).toEqual(['extend', 'retype', 'snapshot', 'backup', 'clone']);
  expect(refusal('delete', volume('in-use', true))).toBe('inUse');
});

test('what is under way is waited for', () => {
  for (const status of ['creating', 'extending', 'uploading', 'backing-up', 'detaching', 'deleting'])
    expect(allowed(volume(status))).toEqual([]);
});

test('what failed can be deleted', () => {
  expect(allowed(volume('error'))).toEqual(['delete']);
  expect(allowed(volume('error_extending'))).toEqual(['delete']);
});

test('an offer is withdrawn before anything else, and a group is left before a volume goes', () => {
  expect(allowed(volume('awaiting-transfer'))).toEqual(['withdraw']);
  expect(refusal('delete', volume('available', false, 'g'))).toBe('grouped');
});
